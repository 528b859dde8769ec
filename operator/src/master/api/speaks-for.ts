/**
 * Whom an enterprise may speak for (rule N3). Statements are signed by Vaults and enclaves; but an enclave's key is its own, and
 * where enclaves are simulated any chip can claim any place. So masters take a statement only from the enterprise it is about.
 */
import type { Command, TaskRecord } from '@scs/protocol';

/** The enterprise that the command is about; undefined when this master can't tell (yet): the rules judge it. */
const enterpriseOf = (command: Command, record: (uid: string) => TaskRecord | undefined): string | undefined => {
  const ofVault = (uid: string, vault: string): string | undefined => record(uid)?.parts.find((part) => part.vault === vault)?.enterprise;
  switch (command.type) {
    case 'vault.register':
      return command.offer.enterprise;
    case 'vault.answer':
      return ofVault(command.statement.task, command.statement.vault);
    case 'slice.release':
      return ofVault(command.receipt.task, command.receipt.vault);
    case 'enclave.ready': {
      const { role, task, subject } = command.statement;
      return role === 'aggregator' ? subject : ofVault(task, subject);
    }
    case 'aggregate.evidence':
      return command.aggregate.evidence.enterprise;
    default:
      return undefined;
  }
};

export const speaksFor = (enterprise: string, command: Command, record: (uid: string) => TaskRecord | undefined): boolean =>
  (enterpriseOf(command, record) ?? enterprise) === enterprise;
