/** Why a call is not answered, as a gRPC status. The message is for whoever calls; nothing secret is in it. */
import { status } from '@grpc/grpc-js';

export class Refusal extends Error {
  readonly status: status;
  constructor(code: status, message: string) {
    super(message);
    this.name = 'Refusal';
    this.status = code;
  }
}
export const notFound = (what: string): Refusal => new Refusal(status.NOT_FOUND, `${what} is not there`);
export const denied = (message: string): Refusal => new Refusal(status.PERMISSION_DENIED, message);
export const invalid = (message: string): Refusal => new Refusal(status.INVALID_ARGUMENT, message);
export const notNow = (message: string): Refusal => new Refusal(status.UNAVAILABLE, message);
export const tooMuch = (message: string): Refusal => new Refusal(status.RESOURCE_EXHAUSTED, message);
