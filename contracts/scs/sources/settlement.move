/// Settlement (rules P2-P4, K9): numbered batches of verified tasks, each accepted once and in order, each a leaf of the
/// state that two masters certified. Anyone may submit one; who does gains nothing. Twin of
/// `protocol/src/settlement-layout.ts` and `batchFault` in `protocol/src/settlement.ts`.
module scs::settlement {
    use std::signer;
    use std::vector;
    use aptos_std::from_bcs;
    use aptos_std::table::{Self, Table};
    use aptos_framework::account;
    use aptos_framework::event;
    use scs::committee;
    use scs::escrow;
    use scs::inflation;
    use scs::merkle;
    use scs::reader::{Self, Reader};
    use scs::rewards;
    use scs::staking;
    use scs::sym;
    use scs::treasury;

    /// This number is settled: the batch was sent twice, or another took its number.
    const E_ALREADY_SETTLED: u64 = 1;
    /// A batch before this one is missing.
    const E_OUT_OF_ORDER: u64 = 2;
    /// SumsDiffer: debits are not credits + dividends + treasury.
    const E_SUMS_DIFFER: u64 = 3;
    /// TransfersNotOrdered: accounts ascend, each once.
    const E_TRANSFERS_NOT_ORDERED: u64 = 4;
    /// ZeroAmount: a transfer of nothing.
    const E_ZERO_AMOUNT: u64 = 5;
    /// TooMany: a batch has between one task and 10,000.
    const E_TOO_MANY: u64 = 6;
    /// No batch of this number is settled.
    const E_UNKNOWN_BATCH: u64 = 7;
    /// AmountOverflow: the debits together exceed 64 bits.
    const E_AMOUNT_OVERFLOW: u64 = 8;
    /// These node rewards were paid before.
    const E_ALREADY_REWARDED: u64 = 9;

    const FIRST_NUMBER: u64 = 1;
    const MAX_TASKS: u64 = 10_000;
    const MAX_DEBITS: u64 = 256;
    const MAX_CREDITS: u64 = 256;
    const MAX_U64: u128 = 18_446_744_073_709_551_615;
    const DIGEST_LENGTH: u64 = 32;
    const ADDRESS_LENGTH: u64 = 32;
    const KEY_PREFIX: vector<u8> = b"batch/";
    const NODE_REWARDS_PREFIX: vector<u8> = b"node-rewards/";

    struct Settlements has key {
        next: u64,
        batches: Table<u64, Settled>,
        rewarded: Table<u64, bool>
    }

    struct Settled has copy, drop, store {
        tasks_root: vector<u8>,
        task_count: u64,
        epoch: u64,
        /// Whose transaction it was, and that account's sequence number: how anyone finds the transaction again.
        submitter: address,
        sequence: u64
    }

    struct Transfer has copy, drop {
        account: address,
        amount: u64
    }

    struct Batch has copy, drop {
        number: u64,
        epoch: u64,
        tasks_root: vector<u8>,
        task_count: u64,
        debits: vector<Transfer>,
        credits: vector<Transfer>,
        dividends: u64,
        treasury: u64
    }

    #[event]
    struct BatchSettled has drop, store {
        number: u64,
        epoch: u64,
        tasks_root: vector<u8>,
        task_count: u64,
        charged: u64,
        advanced: u64,
        credited: u64,
        dividends: u64,
        treasury: u64
    }

    #[event]
    struct NodesRewarded has drop, store {
        number: u64,
        amount: u64
    }

    public(package) fun start(publisher: &signer) {
        move_to(publisher, Settlements { next: FIRST_NUMBER, batches: table::new(), rewarded: table::new() });
    }

    /// Settles the batch whose bytes are the state leaf `batch/<number>`: certificate, path, order and sums are checked,
    /// then escrows pay, actors are credited, and the root of the tasks is kept.
    public entry fun settle(
        caller: &signer,
        head: vector<u8>,
        masters: vector<u8>,
        signatures: vector<vector<u8>>,
        batch: vector<u8>,
        siblings: vector<vector<u8>>
    ) acquires Settlements {
        let certified = committee::verify_head(head, masters, signatures);
        let parsed = parse_batch(batch);
        committee::check_leaf(&certified, merkle::numbered_key(KEY_PREFIX, parsed.number), batch, &siblings);
        apply(parsed, signer::address_of(caller));
    }

    /// Pays node rewards of the bootstrap phase (K7): the state leaf `node-rewards/<number>`, each once, in any order. They come
    /// out of what the schedule minted, so the rest of the supply is not touched.
    public entry fun reward_nodes(
        _caller: &signer,
        head: vector<u8>,
        masters: vector<u8>,
        signatures: vector<vector<u8>>,
        payout: vector<u8>,
        siblings: vector<vector<u8>>
    ) acquires Settlements {
        let certified = committee::verify_head(head, masters, signatures);
        let reader = reader::of(payout);
        let number = reader.read_u64();
        let transfers = parse_transfers(&mut reader, MAX_CREDITS);
        reader.finish();
        committee::check_leaf(&certified, merkle::numbered_key(NODE_REWARDS_PREFIX, number), payout, &siblings);
        let rewarded = &mut borrow_global_mut<Settlements>(@scs).rewarded;
        assert!(!table::contains(rewarded, number), E_ALREADY_REWARDED);
        table::add(rewarded, number, true);
        let sum = sum_of(&transfers);
        assert!(sum <= MAX_U64, E_AMOUNT_OVERFLOW);
        rewards::fund(inflation::take((sum as u64)));
        vector::for_each_ref(&transfers, |t| { rewards::credit(t.account, t.amount) });
        event::emit(NodesRewarded { number, amount: (sum as u64) });
    }

    #[view]
    /// The number that the next batch must have.
    public fun next_number(): u64 acquires Settlements {
        borrow_global<Settlements>(@scs).next
    }

    #[view]
    /// Were the node rewards of this number paid?
    public fun is_rewarded(number: u64): bool acquires Settlements {
        table::contains(&borrow_global<Settlements>(@scs).rewarded, number)
    }

    #[view]
    /// Root of the tasks, their count, and the epoch of a settled batch.
    public fun batch(number: u64): (vector<u8>, u64, u64) acquires Settlements {
        let settled = find(number);
        (settled.tasks_root, settled.task_count, settled.epoch)
    }

    #[view]
    /// Sender and sequence number of the transaction that settled a batch.
    public fun submission(number: u64): (address, u64) acquires Settlements {
        let settled = find(number);
        (settled.submitter, settled.sequence)
    }

    #[view]
    /// What admission needs, in one call and so at one ledger version (K2): next number, and for each account its escrow's
    /// balance, the part that a request names, when that request expires (the reader judges by its own time), and debt.
    public fun observe(
        accounts: vector<address>
    ): (u64, vector<u64>, vector<u64>, vector<u64>, vector<u64>) acquires Settlements {
        let (balances, withdrawing, expiries, debts) = (vector[], vector[], vector[], vector[]);
        vector::for_each(accounts, |address| {
            let (balance, leaving, expires_at, debt) = escrow::standing(address);
            vector::push_back(&mut balances, balance);
            vector::push_back(&mut withdrawing, leaving);
            vector::push_back(&mut expiries, expires_at);
            vector::push_back(&mut debts, debt);
        });
        (next_number(), balances, withdrawing, expiries, debts)
    }

    #[view]
    /// Is `leaf` (BCS of a SettlementLeaf) the task at `index` of that batch? Siblings from the leaf upwards.
    public fun proves_task(
        number: u64, index: u64, leaf: vector<u8>, path: vector<vector<u8>>
    ): bool acquires Settlements {
        let settled = find(number);
        merkle::proves_item(&settled.tasks_root, index, settled.task_count, leaf, &path)
    }

    #[view]
    /// K9: total supply, and its parts held by the contracts: escrow, rewards, treasury's reserve, dividend pot, staking,
    /// bootstrap pot. The rest is in accounts' own hands; debts are receivables and no part of it.
    public fun supply(): (u128, u64, u64, u64, u64, u64, u64) {
        let (rewards, _) = rewards::totals();
        let (reserve, dividends, _, _, _) = treasury::totals();
        let (_, _, _, pot) = inflation::schedule();
        (sym::total_supply(), escrow::total(), rewards, reserve, dividends, staking::total(), pot)
    }

    fun find(number: u64): Settled acquires Settlements {
        let settlements = borrow_global<Settlements>(@scs);
        assert!(table::contains(&settlements.batches, number), E_UNKNOWN_BATCH);
        *table::borrow(&settlements.batches, number)
    }

    fun apply(batch: Batch, submitter: address) acquires Settlements {
        let settlements = borrow_global_mut<Settlements>(@scs);
        assert!(batch.number >= settlements.next, E_ALREADY_SETTLED);
        assert!(batch.number == settlements.next, E_OUT_OF_ORDER);
        assert!(batch.task_count >= 1 && batch.task_count <= MAX_TASKS, E_TOO_MANY);
        let (charged, credited) = check_sums(&batch);
        settlements.next = batch.number + 1;
        let Batch { number, epoch, tasks_root, task_count, debits, credits, dividends, treasury } = batch;
        table::add(&mut settlements.batches, number, Settled { tasks_root, task_count, epoch, submitter, sequence: account::get_sequence_number(submitter) });
        let advanced = charge(debits, credited, dividends);
        vector::for_each_ref(&credits, |t| { rewards::credit(t.account, t.amount) });
        event::emit(
            BatchSettled { number, epoch, tasks_root, task_count, charged, advanced, credited, dividends, treasury }
        );
    }

    /// Takes from the escrows and hands all of it to the treasury, which funds rewards and dividends. Returns the shortfall.
    fun charge(debits: vector<Transfer>, credited: u64, dividends: u64): u64 {
        let (collected, advanced) = (0, 0);
        vector::for_each_ref(&debits, |t| {
            let (taken, shortfall) = escrow::charge(t.account, t.amount);
            collected = collected + taken;
            advanced = advanced + shortfall;
        });
        treasury::settle(escrow::release(collected), advanced, credited, dividends);
        advanced
    }

    /// Sums of debits and credits, once they and their order are right.
    fun check_sums(batch: &Batch): (u64, u64) {
        let debits = sum_of(&batch.debits);
        let credits = sum_of(&batch.credits);
        let distributed = credits + (batch.dividends as u128) + (batch.treasury as u128);
        assert!(debits <= MAX_U64, E_AMOUNT_OVERFLOW);
        assert!(debits == distributed, E_SUMS_DIFFER);
        ((debits as u64), (credits as u64))
    }

    fun sum_of(transfers: &vector<Transfer>): u128 {
        let sum = 0u128;
        for (i in 0..vector::length(transfers)) {
            sum = sum + (vector::borrow(transfers, i).amount as u128);
        };
        sum
    }

    fun parse_batch(bytes: vector<u8>): Batch {
        let reader = reader::of(bytes);
        let batch = Batch {
            number: reader.read_u64(),
            epoch: reader.read_u64(),
            tasks_root: reader.read_bytes(DIGEST_LENGTH),
            task_count: reader.read_u64(),
            debits: parse_transfers(&mut reader, MAX_DEBITS),
            credits: parse_transfers(&mut reader, MAX_CREDITS),
            dividends: reader.read_u64(),
            treasury: reader.read_u64()
        };
        reader.finish();
        batch
    }

    fun parse_transfers(reader: &mut Reader, limit: u64): vector<Transfer> {
        let count = reader.read_length(limit);
        let transfers = vector[];
        let last = vector[];
        for (i in 0..count) {
            let bytes = reader.read_bytes(ADDRESS_LENGTH);
            assert!(i == 0 || ascends(&last, &bytes), E_TRANSFERS_NOT_ORDERED);
            last = bytes;
            let amount = reader.read_u64();
            assert!(amount > 0, E_ZERO_AMOUNT);
            vector::push_back(&mut transfers, Transfer { account: from_bcs::to_address(bytes), amount });
        };
        transfers
    }

    fun ascends(a: &vector<u8>, b: &vector<u8>): bool {
        for (i in 0..ADDRESS_LENGTH) {
            let (x, y) = (*vector::borrow(a, i), *vector::borrow(b, i));
            if (x != y) return x < y;
        };
        false
    }
}
