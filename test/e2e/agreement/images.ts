/** Images of masters for tests: one that lies, and one that is the same program under another digest. */
import { imageSpec } from '../../../images/specs.ts';
import { buildImage, type Image } from '../../cluster/images.ts';

const CONSENSUS = 'operator/src/master/consensus';
/** The real bundle with two rules bent: it votes twice at each height, and offers invalid blocks when it leads. */
export const liarImage = async (): Promise<Image> =>
  buildImage({
    ...(await imageSpec('scs-master')),
    ref: 'scs.local/scs-master-liar:test',
    instead: {
      [`${CONSENSUS}/step.ts`]: 'test/e2e/agreement/liar-step.ts',
      [`${CONSENSUS}/prepare.ts`]: 'test/e2e/agreement/liar-prepare.ts',
    },
  });
export const nextImage = async (): Promise<Image> =>
  buildImage({ ...(await imageSpec('scs-master')), ref: 'scs.local/scs-master:next', environment: { SCS_TEST_BUILD: 'next' } });
