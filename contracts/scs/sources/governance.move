/// What was in force when (rules G1, G2, X4): for each closed epoch, numbered from 1, its digest, the policy version that the next one runs under
/// with that policy's digest, and the protocol version. On record for good, in order, only forward. Nothing in the contracts
/// depends on it. Twin of `protocol/src/governance-leaf.ts`.
module scs::governance {
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use scs::committee;
    use scs::merkle;
    use scs::reader;

    /// This epoch is on record.
    const E_ALREADY_RECORDED: u64 = 1;
    /// An epoch before this one is missing.
    const E_OUT_OF_ORDER: u64 = 2;
    /// Versions of policy and protocol never go back.
    const E_VERSION_BACKWARD: u64 = 3;
    /// One policy version has one content.
    const E_POLICY_CHANGED: u64 = 4;
    /// No such epoch is on record.
    const E_UNKNOWN_EPOCH: u64 = 5;
    /// No such policy version is on record.
    const E_UNKNOWN_POLICY: u64 = 6;

    const FIRST_NUMBER: u64 = 1;
    const DIGEST_LENGTH: u64 = 32;
    const KEY_PREFIX: vector<u8> = b"governance/";

    struct Governance has key {
        next: u64,
        policy_version: u64,
        protocol_version: u64,
        epochs: Table<u64, Epoch>,
        policies: Table<u64, vector<u8>>
    }

    struct Epoch has copy, drop, store {
        digest: vector<u8>,
        policy_version: u64,
        protocol_version: u64
    }

    #[event]
    struct EpochRecorded has drop, store {
        number: u64,
        digest: vector<u8>,
        policy_version: u64,
        policy: vector<u8>,
        protocol_version: u64
    }

    public(package) fun start(publisher: &signer) {
        move_to(
            publisher,
            Governance { next: FIRST_NUMBER, policy_version: 0, protocol_version: 0, epochs: table::new(), policies: table::new() }
        );
    }

    /// The state leaf `governance/<number>`, by anyone, each once and in order: which epoch closed, its digest, then what holds
    /// from its end on.
    public entry fun record(
        _caller: &signer,
        head: vector<u8>,
        masters: vector<u8>,
        signatures: vector<vector<u8>>,
        leaf: vector<u8>,
        siblings: vector<vector<u8>>
    ) acquires Governance {
        let certified = committee::verify_head(head, masters, signatures);
        let reader = reader::of(leaf);
        let number = reader.read_u64();
        let digest = reader.read_bytes(DIGEST_LENGTH);
        let policy_version = reader.read_u64();
        let policy = reader.read_bytes(DIGEST_LENGTH);
        let protocol_version = reader.read_u64();
        reader.finish();
        committee::check_leaf(&certified, merkle::numbered_key(KEY_PREFIX, number), leaf, &siblings);
        let state = borrow_global_mut<Governance>(@scs);
        assert!(number >= state.next, E_ALREADY_RECORDED);
        assert!(number == state.next, E_OUT_OF_ORDER);
        assert!(
            policy_version >= state.policy_version && protocol_version >= state.protocol_version, E_VERSION_BACKWARD
        );
        if (table::contains(&state.policies, policy_version))
            assert!(*table::borrow(&state.policies, policy_version) == policy, E_POLICY_CHANGED)
        else table::add(&mut state.policies, policy_version, policy);
        state.next = number + 1;
        state.policy_version = policy_version;
        state.protocol_version = protocol_version;
        table::add(&mut state.epochs, number, Epoch { digest, policy_version, protocol_version });
        event::emit(EpochRecorded { number, digest, policy_version, policy, protocol_version });
    }

    #[view]
    /// The number that comes next, and the versions of policy and protocol in force.
    public fun current(): (u64, u64, u64) acquires Governance {
        let g = borrow_global<Governance>(@scs);
        (g.next, g.policy_version, g.protocol_version)
    }

    #[view]
    /// Digest of a closed epoch, and the versions of policy and protocol from its end on.
    public fun epoch(number: u64): (vector<u8>, u64, u64) acquires Governance {
        let epochs = &borrow_global<Governance>(@scs).epochs;
        assert!(table::contains(epochs, number), E_UNKNOWN_EPOCH);
        let e = table::borrow(epochs, number);
        (e.digest, e.policy_version, e.protocol_version)
    }

    #[view]
    public fun is_recorded(number: u64): bool acquires Governance {
        table::contains(&borrow_global<Governance>(@scs).epochs, number)
    }

    #[view]
    /// Digest of a policy version's content.
    public fun policy(version: u64): vector<u8> acquires Governance {
        let policies = &borrow_global<Governance>(@scs).policies;
        assert!(table::contains(policies, version), E_UNKNOWN_POLICY);
        *table::borrow(policies, version)
    }
}
