/// What happens when too few masters are left to certify anything (rules N9, P5). Two of three offline recovery keys name the
/// next committee and the height it starts from. For the delay that follows, anyone may show a certificate of a higher height:
/// then the masters were not gone, or the keys' holders did not know the last decision, and the recovery is off. The delay is
/// longer than it takes every owner to withdraw, so stolen recovery keys find nothing but what its owners left. Twin of
/// `protocol/src/recovery.ts`.
///
///     none --open--> pending --delay--> ripe --complete--> none, with the next generation
///                       `--a higher certified height--'--> none
module scs::recovery {
    use std::vector;
    use aptos_framework::event;
    use aptos_framework::timestamp;
    use scs::committee;
    use scs::reader;

    /// The claim is of another genesis.
    const E_WRONG_GENESIS: u64 = 1;
    /// Claims are numbered, each number once: this one was used, or one before it is missing.
    const E_WRONG_ROUND: u64 = 2;
    /// The claim appoints another generation than the next.
    const E_WRONG_GENERATION: u64 = 3;
    /// Behind: a certificate of a higher height is known.
    const E_BEHIND: u64 = 4;
    /// No recovery is under way.
    const E_NO_RECOVERY: u64 = 5;
    /// The delay since it was opened isn't over.
    const E_RECOVERY_NOT_RIPE: u64 = 6;
    /// The certificate is of no higher height than the recovery starts from.
    const E_NOT_HIGHER: u64 = 7;

    const DIGEST_LENGTH: u64 = 32;
    const RECOVER_TAG: vector<u8> = b"SCS::recover::v1";

    struct Recovery has key {
        keys: vector<vector<u8>>,
        delay_seconds: u64,
        /// Number of the last claim that was opened.
        round: u64,
        /// None or one.
        pending: vector<Claim>
    }

    struct Claim has copy, drop, store {
        generation: u64,
        /// Last decided height that the holders know, and its state: what the new committee starts from.
        height: u64,
        state_root: vector<u8>,
        committee: vector<vector<u8>>,
        ripens_at: u64
    }

    #[event]
    struct RecoveryOpened has drop, store {
        round: u64,
        generation: u64,
        height: u64,
        state_root: vector<u8>,
        committee: vector<vector<u8>>,
        ripens_at: u64
    }

    #[event]
    struct RecoveryCancelled has drop, store {
        round: u64,
        height: u64
    }

    #[event]
    struct RecoveryCompleted has drop, store {
        round: u64,
        generation: u64,
        height: u64,
        state_root: vector<u8>
    }

    public(package) fun start(publisher: &signer, keys: vector<vector<u8>>, delay_seconds: u64) {
        committee::check_keys(&keys);
        move_to(publisher, Recovery { keys, delay_seconds, round: 0, pending: vector[] });
    }

    /// Opens a recovery, in place of one that is under way: the delay begins anew. `claim` is BCS of (genesis, round, generation,
    /// height, state root, keys); `signers` are indexes 0..2 of recovery keys, ascending.
    public entry fun open(
        _caller: &signer, claim: vector<u8>, signers: vector<u8>, signatures: vector<vector<u8>>
    ) acquires Recovery {
        let recovery = borrow_global_mut<Recovery>(@scs);
        let message = RECOVER_TAG;
        vector::append(&mut message, claim);
        committee::check_votes(&recovery.keys, message, &signers, &signatures);
        let (round, parsed) = parse(claim, timestamp::now_seconds() + recovery.delay_seconds);
        let (generation, _) = committee::current();
        assert!(round == recovery.round + 1, E_WRONG_ROUND);
        assert!(parsed.generation == generation + 1, E_WRONG_GENERATION);
        assert!(parsed.height >= committee::highest(), E_BEHIND);
        committee::check_keys(&parsed.committee);
        recovery.round = round;
        recovery.pending = vector[parsed];
        let Claim { generation, height, state_root, committee, ripens_at } = parsed;
        event::emit(RecoveryOpened { round, generation, height, state_root, committee, ripens_at });
    }

    /// Ends the recovery under way by a certificate of the current committee over a higher height. Settling anything with such a
    /// certificate does the same; this asks for no leaf.
    public entry fun cancel(
        _caller: &signer, head: vector<u8>, masters: vector<u8>, signatures: vector<vector<u8>>
    ) acquires Recovery {
        let recovery = borrow_global_mut<Recovery>(@scs);
        assert!(!vector::is_empty(&recovery.pending), E_NO_RECOVERY);
        let certified = committee::verify_head(head, masters, signatures);
        let height = certified.height();
        assert!(height > vector::borrow(&recovery.pending, 0).height, E_NOT_HIGHER);
        recovery.pending = vector[];
        event::emit(RecoveryCancelled { round: recovery.round, height });
    }

    /// After the delay, by anyone: the claim's committee is the current one.
    public entry fun complete(_caller: &signer) acquires Recovery {
        let recovery = borrow_global_mut<Recovery>(@scs);
        assert!(!vector::is_empty(&recovery.pending), E_NO_RECOVERY);
        let Claim { generation, height, state_root, committee, ripens_at } = *vector::borrow(&recovery.pending, 0);
        assert!(timestamp::now_seconds() >= ripens_at, E_RECOVERY_NOT_RIPE);
        assert!(committee::highest() <= height, E_BEHIND);
        recovery.pending = vector[];
        committee::recover(generation, committee, height);
        event::emit(RecoveryCompleted { round: recovery.round, generation, height, state_root });
    }

    #[view]
    /// Round of the last claim; then of the one under way, if there is one: generation, height, when it ripens (seconds).
    public fun pending(): (u64, bool, u64, u64, u64) acquires Recovery {
        let recovery = borrow_global<Recovery>(@scs);
        if (vector::is_empty(&recovery.pending)) return (recovery.round, false, 0, 0, 0);
        let claim = vector::borrow(&recovery.pending, 0);
        (recovery.round, true, claim.generation, claim.height, claim.ripens_at)
    }

    #[view]
    /// The recovery keys, and the delay in seconds.
    public fun terms(): (vector<vector<u8>>, u64) acquires Recovery {
        let recovery = borrow_global<Recovery>(@scs);
        (recovery.keys, recovery.delay_seconds)
    }

    fun parse(bytes: vector<u8>, ripens_at: u64): (u64, Claim) {
        let reader = reader::of(bytes);
        let (genesis, _) = committee::genesis();
        assert!(reader.read_bytes(DIGEST_LENGTH) == genesis, E_WRONG_GENESIS);
        let round = reader.read_u64();
        let claim = Claim {
            generation: reader.read_u64(),
            height: reader.read_u64(),
            state_root: reader.read_bytes(DIGEST_LENGTH),
            committee: committee::read_keys(&mut reader),
            ripens_at
        };
        reader.finish();
        (round, claim)
    }
}
