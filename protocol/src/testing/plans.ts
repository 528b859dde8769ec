import { decodeCanonical } from '../encoding/canonical.ts';
import { fromHex } from '../encoding/bytes.ts';
import { Plan } from '../plan.ts';

/** The plan inside an envelope. */
export const decodePlan = (planHex: string): Plan => Plan.parse(decodeCanonical(fromHex(planHex)));
