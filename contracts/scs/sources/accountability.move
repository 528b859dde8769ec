/// Equivocation (rules G3, G4): two decide votes of one master over different heads at one generation and height. The two
/// signatures are the proof; nobody votes on it, and anybody may bring it. Twin of `protocol/src/accountability.ts`.
module scs::accountability {
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use scs::committee;
    use scs::staking;

    /// Both votes are over the same head: that is what a master should do.
    const E_SAME_HEAD: u64 = 1;
    /// The heads are of different generations or heights: a master signs one at each.
    const E_DIFFERENT_SLOTS: u64 = 2;
    /// This master's equivocation in this generation is on record.
    const E_ALREADY_RECORDED: u64 = 3;

    struct Record has key {
        convicted: Table<Seat, u64>
    }

    struct Seat has copy, drop, store {
        generation: u64,
        master: u8
    }

    #[event]
    struct EquivocationProven has drop, store {
        generation: u64,
        height: u64,
        master: u8,
        key: vector<u8>
    }

    public(package) fun start(publisher: &signer) {
        move_to(publisher, Record { convicted: table::new() });
    }

    /// Heads are BCS of a `Head`; signatures are decide votes by `master` (0..2) of the committee of their generation. Once a
    /// master and generation: the first proof takes the whole bond, without a vote.
    public entry fun report(
        _caller: &signer,
        master: u8,
        head_a: vector<u8>,
        signature_a: vector<u8>,
        head_b: vector<u8>,
        signature_b: vector<u8>
    ) acquires Record {
        assert!(head_a != head_b, E_SAME_HEAD);
        let (a, key) = committee::verify_vote(head_a, master, signature_a);
        let (b, _) = committee::verify_vote(head_b, master, signature_b);
        let (generation, height) = (a.generation(), a.height());
        assert!(generation == b.generation() && height == b.height(), E_DIFFERENT_SLOTS);
        let record = borrow_global_mut<Record>(@scs);
        let seat = Seat { generation, master };
        assert!(!table::contains(&record.convicted, seat), E_ALREADY_RECORDED);
        table::add(&mut record.convicted, seat, height);
        event::emit(EquivocationProven { generation, height, master, key });
        staking::convict(key);
    }

    #[view]
    /// Was it proven, and at which height?
    public fun equivocated(generation: u64, master: u8): (bool, u64) acquires Record {
        let convicted = &borrow_global<Record>(@scs).convicted;
        let seat = Seat { generation, master };
        if (table::contains(convicted, seat)) (true, *table::borrow(convicted, seat)) else (false, 0)
    }
}
