/** Ctrl-C reaches every wait of this tool through one signal, so that whoever started something also ends it. */
const controller = new AbortController();

export class Interrupted extends Error {
  constructor() {
    super('interrupted');
    this.name = 'Interrupted';
  }
}

export const interrupt = (): void => controller.abort();

/** Throws once `interrupt` was called. */
export const checkInterrupt = (): void => {
  if (controller.signal.aborted) throw new Interrupted();
};
