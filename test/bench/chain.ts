/** Settlement on the devnet: what a batch costs by its tasks and escrows, what trees of claims cost, claims a second. */
import { hash } from 'node:crypto';
import { isUserTransactionResponse, MoveVector } from '@aptos-labs/ts-sdk';
import type { Account, Aptos, InputEntryFunctionData } from '@aptos-labs/ts-sdk';
import { dividendTree } from '@scs/protocol/dividends.ts';
import { fromHex } from '@scs/protocol/encoding/bytes.ts';
import { buildBatch, type SettledTask } from '@scs/protocol/settlement.ts';
import { batchKey, encodeBatch, type Transfer } from '@scs/protocol/settlement-layout.ts';
import { digestOf } from '@scs/protocol/testing/keys.ts';
import { fundedAccount, startDevnet } from '../../contracts/devnet/testing/devnet.ts';
import type { TestDevnet } from '../../contracts/devnet/testing/devnet.ts';
import { publishScs } from '../../contracts/publish.ts';
import { certifiedLeaf, committeeKeys, genesisOfModel, recoveryKeys } from '../../contracts/testing/certified.ts';
import { vmContracts, type VmContracts } from '../../contracts/testing/vm-contracts.ts';
import { digits, perSecond, times } from './figures.ts';
import type { Report, Table } from './report.ts';

const MOST = 256;
const ALLOCATION = 1_000_000_000n;
const votes = { generation: 0, height: 7, masters: [0, 2] };

const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const timed = <T>(run: () => T): { readonly result: T; readonly ms: number } => {
  const start = processorMs();
  const result = run();
  return { result, ms: processorMs() - start };
};

const named = (kind: string, i: number): string => `0x${digestOf(`bench ${kind} ${i}`)}`;
const submitters = Array.from({ length: MOST }, (_, i) => named('submitter', i)).toSorted();
const workers = Array.from({ length: MOST }, (_, i) => named('worker', i)).toSorted();

interface Shape {
  readonly tasks: number;
  /** Escrows that are debited, and as many workers that are credited. */
  readonly escrows: number;
}
const tasksOf = ({ tasks, escrows }: Shape): SettledTask[] =>
  Array.from({ length: tasks }, (_, i): SettledTask => {
    const digest = digestOf(`bench task ${i}`);
    const credits = [{ account: workers[i % escrows]!, amount: 7n }];
    const leaf = { envelope: digest, submitter: submitters[i % escrows]!, quote: 12n, charge: 10n, refund: 2n, evidence: digest };
    return { leaf, split: { credits, dividends: 2n, treasury: 1n } };
  });

interface Cost {
  readonly gas: number;
  readonly bytes: number;
}
/** Through the SDK and the chain, so that Aptos' limits hold. Throws when the transaction fails. */
const send = async (aptos: Aptos, signer: Account, data: InputEntryFunctionData): Promise<Cost> => {
  const transaction = await aptos.transaction.build.simple({ sender: signer.accountAddress, data });
  const pending = await aptos.signAndSubmitTransaction({ signer, transaction });
  const done = await aptos.waitForTransaction({ transactionHash: pending.hash });
  if (!isUserTransactionResponse(done)) throw new Error('a transaction came back as something else');
  // Signature and key of a single signer, with their lengths and kinds.
  return { gas: Number(done.gas_used), bytes: transaction.rawTransaction.bcsToBytes().length + 1 + 33 + 65 };
};
const settle = (aptos: Aptos, signer: Account, contract: string, number: bigint, shape: Shape): Promise<Cost> => {
  const batch = buildBatch({ number, epoch: 1n, tasks: tasksOf(shape) });
  const leaf = certifiedLeaf(batchKey(number), encodeBatch(batch), votes);
  const functionArguments = [
    MoveVector.U8(leaf.head),
    MoveVector.U8(leaf.masters),
    new MoveVector(leaf.signatures.map((s) => MoveVector.U8(fromHex(s)))),
    MoveVector.U8(leaf.value),
    new MoveVector(leaf.siblings.map((s) => MoveVector.U8(s))),
  ];
  return send(aptos, signer, { function: `${contract as `0x${string}`}::settlement::settle`, functionArguments });
};

const publish = async (
  devnet: TestDevnet,
): Promise<{ contract: string; signer: Account; startedAt: bigint; accounts: readonly string[] }> => {
  const signer = await fundedAccount(devnet.aptos, 1_000_000_000_000);
  const claimers = [signer.accountAddress.toStringLong(), ...submitters];
  const { contract } = await publishScs({
    aptos: devnet.aptos,
    publisher: signer,
    genesis: {
      digest: genesisOfModel,
      masters: committeeKeys(0),
      recoveryKeys,
      simulated: true,
      allocations: claimers.map((address) => ({ address, amount: ALLOCATION })),
      treasuryReserve: 1_000_000_000_000n,
      escrowDelaySeconds: 3_600n,
      escrowWindowSeconds: 600n,
    },
  });
  return { contract, signer, startedAt: BigInt(Math.ceil(devnet.chain.nowUs() / 1_000_000)), accounts: claimers };
};

const shapes = (quick: boolean): Shape[] => [
  { tasks: 1, escrows: 1 },
  { tasks: 100, escrows: 1 },
  { tasks: quick ? 1_000 : 10_000, escrows: 1 },
  { tasks: quick ? 1_000 : 10_000, escrows: 16 },
  { tasks: quick ? 1_000 : 10_000, escrows: MOST },
];
const settlementTable = async (devnet: TestDevnet, contract: string, signer: Account, quick: boolean): Promise<Table> => {
  const { aptos } = devnet;
  const [token] = await aptos.view<[{ inner: string }]>({ payload: { function: `${contract as `0x${string}`}::sym::metadata` } });
  const transfer = (): Promise<Cost> =>
    send(aptos, signer, {
      function: '0x1::primary_fungible_store::transfer',
      typeArguments: ['0x1::fungible_asset::Metadata'],
      functionArguments: [token.inner, workers[0]!, 1],
    });
  // The first of each touches accounts that are new, which costs more, once.
  await transfer();
  await settle(aptos, signer, contract, 1n, { tasks: MOST, escrows: MOST });
  const bare = await transfer();
  const rows: string[][] = [['bare transfer of SYM', '1', '-', ...costs(bare, 1, bare)]];
  let number = 2n;
  for (const shape of shapes(quick)) {
    const cost = await settle(aptos, signer, contract, number, shape);
    rows.push(['batch', shape.tasks.toLocaleString('en-US'), String(shape.escrows), ...costs(cost, shape.tasks, bare)]);
    number += 1n;
  }
  return {
    head: [
      'transaction',
      'tasks',
      'escrows, and as many credits',
      'gas',
      'bytes',
      'gas a task',
      'bytes a task',
      'gas beside a transfer a task',
    ],
    rows,
  };
};
const costs = (cost: Cost, tasks: number, bare: Cost): string[] => [
  digits(cost.gas, 4),
  digits(cost.bytes, 4),
  digits(cost.gas / tasks),
  digits(cost.bytes / tasks),
  times(cost.gas, tasks * bare.gas),
];

const sharesOf = (count: number): Transfer[] =>
  Array.from({ length: count }, (_, i) => ({ account: submitters[i % MOST]!, amount: BigInt(1 + (i % 3)) }));
const treeRow = (count: number): string[] => {
  const shares = sharesOf(count);
  const node = Buffer.alloc(65, 1);
  const bare = timed(() => {
    for (let i = 1; i < 2 * count; i++) hash('sha3-256', node, 'buffer');
  });
  const built = timed(() => dividendTree(1n, shares));
  const proofs = timed(() => shares.reduce((sum, _, i) => sum + built.result.claim(i).path.length, 0));
  const both = built.ms + proofs.ms;
  const seconds = (ms: number): string => `${digits(ms / 1000)} s`;
  return [
    count.toLocaleString('en-US'),
    seconds(built.ms),
    seconds(proofs.ms),
    seconds(both),
    seconds(bare.ms),
    times(both, bare.ms),
    digits(proofs.result / count),
  ];
};

/** Fills the pot by one batch, publishes roots of `leaves` claims, and claims in the bare VM: no signatures of accounts, no disk. */
const claimRows = (vm: VmContracts, next: bigint, claims: number, leaves: number, roots: number): string[][] => {
  const must = (outcome: string | undefined): void => {
    if (outcome !== undefined) throw new Error(`a claim of the benchmark aborted: ${outcome}`);
  };
  const shares = sharesOf(leaves);
  const trees = Array.from({ length: roots }, (_, i) => dividendTree(BigInt(i + 1), shares));
  const pot = trees.reduce((sum, { root }) => sum + root.total, 0n);
  const batch = {
    number: next,
    epoch: 1n,
    tasksRoot: digestOf('root'),
    taskCount: 1n,
    debits: [{ account: submitters[0]!, amount: pot }],
    credits: [],
    dividends: pot,
    treasury: 0n,
  };
  must(vm.step({ kind: 'settle', votes, batch }));
  for (const { root } of trees)
    must(vm.step({ kind: 'publish_dividends', votes, number: root.number, total: root.total, terms: root, shares }));
  // `who` 0 is the publisher; a leaf's owner is submitter i modulo 256.
  const claim = (i: number, from: readonly number[]): void =>
    must(vm.step({ kind: 'claim_dividends', who: 1 + (i % MOST), claims: from.map((tree) => trees[tree]!.claim(i)) }));
  const warm = 50;
  for (let i = 0; i < warm; i++) claim(leaves - 1 - i, [0]);
  const single = timed(() => {
    for (let i = 0; i < claims; i++) claim(i, [0]);
  });
  const others = Array.from({ length: roots - 1 }, (_, i) => i + 1);
  const calls = Math.ceil(claims / others.length);
  const many = timed(() => {
    for (let i = 0; i < calls; i++) claim(i, others);
  });
  const views = timed(() => {
    for (let i = 0; i < claims; i++) vm.view('sym', 'balance', fromHex(submitters[i % MOST]!.slice(2)));
  });
  const fund = timed(() => {
    for (let i = 0; i < claims; i++) must(vm.step({ kind: 'fund', who: 1 + (i % MOST), amount: 1n }));
  });
  const beside = (ms: number): string => times(ms / claims, fund.ms / claims);
  return [
    ['view of a balance', perSecond(claims, views.ms), beside(views.ms)],
    ['bare: a donation, which moves SYM once', perSecond(claims, fund.ms), '1.0 x'],
    [`claim of one dividend, path of ${trees[0]!.claim(0).path.length}`, perSecond(claims, single.ms), beside(single.ms)],
    [
      `dividends of ${others.length} roots in one claim`,
      perSecond(calls * others.length, many.ms),
      times(many.ms / (calls * others.length), fund.ms / claims),
    ],
  ];
};
export const chain = async (quick: boolean): Promise<Report> => {
  const devnet = await startDevnet();
  try {
    const { contract, signer, accounts, startedAt } = await publish(devnet);
    const settlement = await settlementTable(devnet, contract, signer, quick);
    const next = BigInt(2 + shapes(quick).length);
    const [claims, leaves] = quick ? [100, 1_000] : [2_000, 100_000];
    const vm = vmContracts(devnet.chain, contract, accounts, startedAt);
    return {
      name: 'chain',
      work: [
        `Batches of the contracts on the embedded devnet, sent by the SDK, within Aptos' limits. All accounts were touched before. Gas is the devnet's own: read the ratios. A task: one escrow debited, one worker credited. Paths lead through a state of four entries; how many siblings they have depends on the batch's number, 2 to 4, and is all that differs between batches of 1 and of 10,000 tasks. Claims: ${claims.toLocaleString('en-US')} of a root with ${leaves.toLocaleString('en-US')} leaves, in the bare VM, per second of processor time. Trees: per processor time, each once; beside them as many bare SHA3-256 of 65 bytes by node:crypto as the tree has nodes.`,
      ],
      tables: [
        settlement,
        {
          head: ['claims', 'tree', 'all proofs', 'together', 'bare hashes', 'times', 'siblings a proof'],
          rows: (quick ? [10_000] : [100_000, 1_000_000]).map(treeRow),
        },
        { head: ['call', 'a second', 'time beside a donation'], rows: claimRows(vm, next, claims, leaves, quick ? 3 : 9) },
      ],
    };
  } finally {
    await devnet.stop();
  }
};
