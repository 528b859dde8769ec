/// The masters' committees (rules N1, G4, P5): a chain of generations, each appointed by a certificate of the one before.
/// A certificate is the signatures of two of the three over one `Head`; twin of `protocol/src/certificate.ts`.
module scs::committee {
    use std::signer;
    use std::vector;
    use aptos_std::ed25519;
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use scs::merkle;
    use scs::reader::{Self, Reader};

    /// The head belongs to another genesis.
    const E_WRONG_GENESIS: u64 = 1;
    /// The head is signed by a committee that isn't the current one.
    const E_WRONG_GENERATION: u64 = 2;
    /// A certificate needs two of the three masters.
    const E_TOO_FEW_VOTES: u64 = 3;
    /// Votes come in ascending order of master, each master once.
    const E_VOTES_NOT_ORDERED: u64 = 4;
    /// A signature isn't the named master's over this head.
    const E_BAD_SIGNATURE: u64 = 5;
    /// There is no such master, or not one signature a master.
    const E_UNKNOWN_MASTER: u64 = 6;
    /// The path doesn't lead from the leaf to the certified state root.
    const E_PATH_MISMATCH: u64 = 7;
    /// A committee is three different Ed25519 keys.
    const E_BAD_COMMITTEE: u64 = 8;
    /// A genesis digest is 32 bytes.
    const E_BAD_GENESIS: u64 = 9;
    /// Only the publisher initialises.
    const E_NOT_PUBLISHER: u64 = 10;
    /// The contracts have been initialised before.
    const E_ALREADY_INITIALIZED: u64 = 11;

    const MASTERS: u64 = 3;
    const QUORUM: u64 = 2;
    const KEY_LENGTH: u64 = 32;
    const SIGNATURE_LENGTH: u64 = 64;
    const DIGEST_LENGTH: u64 = 32;
    const FIRST_GENERATION: u64 = 0;
    const DECIDE_TAG: vector<u8> = b"SCS::decide::v1";
    const KEY_PREFIX: vector<u8> = b"committee/";

    /// The highest height that two masters are known here to have certified: what a recovery may not fall behind (N9).
    struct Progress has key {
        height: u64
    }

    struct Committee has key {
        genesis: vector<u8>,
        /// Rule A4: certificates of a simulated group say nothing about hardware; the genesis digest fixes it too.
        simulated: bool,
        generation: u64,
        keys: vector<vector<u8>>,
        /// Keys of every generation so far: what a master signed stays provable after its committee has gone (G4).
        history: Table<u64, vector<vector<u8>>>
    }

    /// What two masters signed. Made only by `verify_head`.
    struct Head has copy, drop {
        generation: u64,
        height: u64,
        state_root: vector<u8>,
        block: vector<u8>
    }

    #[event]
    struct CommitteeAdvanced has drop, store {
        generation: u64,
        height: u64,
        keys: vector<vector<u8>>
    }

    public(package) fun start(
        publisher: &signer, genesis: vector<u8>, keys: vector<vector<u8>>, simulated: bool
    ) {
        assert!(signer::address_of(publisher) == @scs, E_NOT_PUBLISHER);
        assert!(!exists<Committee>(@scs), E_ALREADY_INITIALIZED);
        assert!(vector::length(&genesis) == DIGEST_LENGTH, E_BAD_GENESIS);
        check_keys(&keys);
        let history = table::new();
        table::add(&mut history, FIRST_GENERATION, keys);
        move_to(publisher, Committee { genesis, simulated, generation: FIRST_GENERATION, keys, history });
        move_to(publisher, Progress { height: 0 });
    }

    /// Aborts unless two of the current committee's masters signed these bytes of a `Head` of this genesis.
    /// `masters` are indexes 0..2, ascending; one signature of 64 bytes each.
    public fun verify_head(
        head: vector<u8>, masters: vector<u8>, signatures: vector<vector<u8>>
    ): Head acquires Committee, Progress {
        let committee = borrow_global<Committee>(@scs);
        let parsed = parse_head(head, &committee.genesis);
        assert!(parsed.generation == committee.generation, E_WRONG_GENERATION);
        check_votes(&committee.keys, decide_message(head), &masters, &signatures);
        raise(parsed.height);
        parsed
    }

    /// Aborts unless two of these three keys signed the message. `signers` are indexes 0..2, ascending.
    public(package) fun check_votes(
        keys: &vector<vector<u8>>, message: vector<u8>, signers: &vector<u8>, signatures: &vector<vector<u8>>
    ) {
        let votes = vector::length(signers);
        assert!(votes >= QUORUM, E_TOO_FEW_VOTES);
        assert!(votes <= MASTERS && votes == vector::length(signatures), E_UNKNOWN_MASTER);
        for (i in 0..votes) {
            let signer_index = (*vector::borrow(signers, i) as u64);
            assert!(i == 0 || signer_index > (*vector::borrow(signers, i - 1) as u64), E_VOTES_NOT_ORDERED);
            assert!(signer_index < MASTERS, E_UNKNOWN_MASTER);
            let signature = *vector::borrow(signatures, i);
            assert!(signed_by(*vector::borrow(keys, signer_index), message, signature), E_BAD_SIGNATURE);
        };
    }

    /// One master's decide vote over these bytes of a `Head`, of any generation so far, and the key that signed it. Messages
    /// inside a view carry another tag, so their signatures fail here (G4).
    public(package) fun verify_vote(
        head: vector<u8>, master: u8, signature: vector<u8>
    ): (Head, vector<u8>) acquires Committee {
        let committee = borrow_global<Committee>(@scs);
        let parsed = parse_head(head, &committee.genesis);
        assert!(table::contains(&committee.history, parsed.generation), E_WRONG_GENERATION);
        assert!((master as u64) < MASTERS, E_UNKNOWN_MASTER);
        let key = *vector::borrow(table::borrow(&committee.history, parsed.generation), (master as u64));
        assert!(signed_by(key, decide_message(head), signature), E_BAD_SIGNATURE);
        (parsed, key)
    }

    /// Aborts unless the leaf is in the state that the head certifies.
    public fun check_leaf(
        head: &Head, key: vector<u8>, value: vector<u8>, siblings: &vector<vector<u8>>
    ) {
        assert!(merkle::proves_entry(&head.state_root, key, value, siblings), E_PATH_MISMATCH);
    }

    /// Appoints the next committee: the state leaf `committee/<generation + 1>` under a certificate of the current one.
    /// Anyone may call it; whoever lost a key or a master needs it before the next batch (P5).
    public entry fun advance(
        _caller: &signer,
        head: vector<u8>,
        masters: vector<u8>,
        signatures: vector<vector<u8>>,
        committee: vector<u8>,
        siblings: vector<vector<u8>>
    ) acquires Committee, Progress {
        let certified = verify_head(head, masters, signatures);
        let (generation, keys) = parse_committee(committee);
        check_leaf(&certified, merkle::numbered_key(KEY_PREFIX, generation), committee, &siblings);
        appoint(generation, keys, certified.height);
    }

    /// Recovery keys appointed this committee (`recovery::complete`), which starts from `height`.
    public(package) fun recover(generation: u64, keys: vector<vector<u8>>, height: u64) acquires Committee, Progress {
        raise(height);
        appoint(generation, keys, height);
    }

    fun appoint(generation: u64, keys: vector<vector<u8>>, height: u64) acquires Committee {
        let current = borrow_global_mut<Committee>(@scs);
        assert!(generation == current.generation + 1, E_WRONG_GENERATION);
        check_keys(&keys);
        current.generation = generation;
        current.keys = keys;
        table::add(&mut current.history, generation, keys);
        event::emit(CommitteeAdvanced { generation, height, keys });
    }

    fun raise(height: u64) acquires Progress {
        let progress = borrow_global_mut<Progress>(@scs);
        if (height > progress.height) progress.height = height;
    }

    #[view]
    /// Generation and the three masters' public keys.
    public fun current(): (u64, vector<vector<u8>>) acquires Committee {
        let committee = borrow_global<Committee>(@scs);
        (committee.generation, committee.keys)
    }

    #[view]
    /// Genesis digest, and whether enclaves are simulated (A4).
    public fun genesis(): (vector<u8>, bool) acquires Committee {
        let committee = borrow_global<Committee>(@scs);
        (committee.genesis, committee.simulated)
    }

    #[view]
    /// The highest height that a certificate was shown of.
    public fun highest(): u64 acquires Progress {
        borrow_global<Progress>(@scs).height
    }

    #[view]
    public fun is_initialized(): bool {
        exists<Committee>(@scs)
    }

    public fun generation(self: &Head): u64 {
        self.generation
    }

    public fun height(self: &Head): u64 {
        self.height
    }

    public fun state_root(self: &Head): vector<u8> {
        self.state_root
    }

    public fun block(self: &Head): vector<u8> {
        self.block
    }

    fun decide_message(head: vector<u8>): vector<u8> {
        let message = DECIDE_TAG;
        vector::append(&mut message, head);
        message
    }

    fun parse_head(bytes: vector<u8>, genesis: &vector<u8>): Head {
        let reader = reader::of(bytes);
        assert!(&reader.read_bytes(DIGEST_LENGTH) == genesis, E_WRONG_GENESIS);
        let head = Head {
            generation: reader.read_u64(),
            height: reader.read_u64(),
            state_root: reader.read_bytes(DIGEST_LENGTH),
            block: reader.read_bytes(DIGEST_LENGTH)
        };
        reader.finish();
        head
    }

    fun parse_committee(bytes: vector<u8>): (u64, vector<vector<u8>>) {
        let reader = reader::of(bytes);
        let generation = reader.read_u64();
        let keys = read_keys(&mut reader);
        reader.finish();
        (generation, keys)
    }

    public(package) fun read_keys(reader: &mut Reader): vector<vector<u8>> {
        let count = reader.read_length(MASTERS);
        let keys = vector[];
        for (i in 0..count) vector::push_back(&mut keys, reader.read_bytes(KEY_LENGTH));
        keys
    }

    /// Two equal keys would let one master vote twice.
    public(package) fun check_keys(keys: &vector<vector<u8>>) {
        assert!(vector::length(keys) == MASTERS, E_BAD_COMMITTEE);
        for (i in 0..MASTERS) {
            let key = vector::borrow(keys, i);
            assert!(vector::length(key) == KEY_LENGTH, E_BAD_COMMITTEE);
            for (j in 0..i) assert!(vector::borrow(keys, j) != key, E_BAD_COMMITTEE);
        }
    }

    public(package) fun signed_by(key: vector<u8>, message: vector<u8>, signature: vector<u8>): bool {
        vector::length(&signature) == SIGNATURE_LENGTH
            && ed25519::signature_verify_strict(
                &ed25519::new_signature_from_bytes(signature),
                &ed25519::new_unvalidated_public_key_from_bytes(key),
                message
            )
    }
}
