/// Dividends to data producers (rules K3, K5, K6): the pot that batches fill is given out by certified Merkle roots. Whoever a leaf
/// names claims it by its path, once; any number of roots in one claim. No root pays more than its own total, whatever its
/// leaves say; what nobody has claimed when a root expires goes back to the pot, for the next. Who wasn't staked through the
/// root's epoch gets half, and the treasury the other half; that is settled at the claim, because a published sum of halves
/// would tell how many were in a result. Twin of `protocol/src/dividends.ts`.
module scs::dividends {
    use std::bcs;
    use std::signer;
    use std::vector;
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use aptos_framework::primary_fungible_store;
    use aptos_framework::timestamp;
    use scs::committee;
    use scs::merkle;
    use scs::reader;
    use scs::staking;
    use scs::treasury;

    /// This root is published.
    const E_ALREADY_PUBLISHED: u64 = 1;
    /// A root of nothing, or a claim of nothing.
    const E_ZERO_AMOUNT: u64 = 2;
    /// The pot holds less than that beside what earlier roots may still pay.
    const E_POT_INSUFFICIENT: u64 = 3;
    /// There is no root of this number.
    const E_UNKNOWN_ROOT: u64 = 4;
    /// This leaf is claimed.
    const E_ALREADY_CLAIMED: u64 = 5;
    /// The path doesn't lead from the caller's leaf to the root.
    const E_PATH_MISMATCH: u64 = 6;
    /// The leaves of this root claim more than its total.
    const E_ABOVE_TOTAL: u64 = 7;
    /// One index, amount and path for each root; at most 64.
    const E_BAD_CLAIM: u64 = 8;
    /// The root's owners still have time to claim.
    const E_NOT_EXPIRED: u64 = 9;

    const PRODUCER: u8 = 2;
    const MAX_CLAIMS: u64 = 64;
    const DIGEST_LENGTH: u64 = 32;
    const KEY_PREFIX: vector<u8> = b"dividends/";

    struct Dividends has key {
        roots: Table<u64, Root>,
        claimed: Table<Leaf, bool>,
        /// What all roots together may still pay; part of the treasury's dividend pot.
        promised: u64
    }

    struct Root has copy, drop, store {
        root: vector<u8>,
        count: u64,
        total: u64,
        paid: u64,
        /// Full dividends are for who has bonded at least `least` since `since` or before (K5); seconds.
        least: u64,
        since: u64,
        /// From then on what is left goes back to the pot; seconds.
        expires_at: u64
    }

    struct Leaf has copy, drop, store {
        number: u64,
        index: u64
    }

    #[event]
    struct DividendsPublished has drop, store {
        number: u64,
        root: vector<u8>,
        count: u64,
        total: u64,
        expires_at: u64
    }

    #[event]
    struct DividendClaimed has drop, store {
        account: address,
        /// What the caller got, and what went to the treasury for want of a stake (K5).
        amount: u64,
        withheld: u64
    }

    #[event]
    struct DividendsRolledOver has drop, store {
        number: u64,
        amount: u64
    }

    public(package) fun start(publisher: &signer) {
        move_to(publisher, Dividends { roots: table::new(), claimed: table::new(), promised: 0 });
    }

    /// The state leaf `dividends/<number>`, each once, in any order, by anyone. `total` is promised to its leaves
    /// until `expires_at`.
    public entry fun publish(
        _caller: &signer,
        head: vector<u8>,
        masters: vector<u8>,
        signatures: vector<vector<u8>>,
        dividends: vector<u8>,
        siblings: vector<vector<u8>>
    ) acquires Dividends {
        let certified = committee::verify_head(head, masters, signatures);
        let reader = reader::of(dividends);
        let number = reader.read_u64();
        let root = reader.read_bytes(DIGEST_LENGTH);
        let (count, total) = (reader.read_u64(), reader.read_u64());
        let (least, since, expires_at) = (reader.read_u64(), reader.read_u64(), reader.read_u64());
        reader.finish();
        committee::check_leaf(&certified, merkle::numbered_key(KEY_PREFIX, number), dividends, &siblings);
        let state = borrow_global_mut<Dividends>(@scs);
        assert!(!table::contains(&state.roots, number), E_ALREADY_PUBLISHED);
        assert!(total > 0, E_ZERO_AMOUNT);
        let (_, pot, _, _, _) = treasury::totals();
        assert!(total <= pot - state.promised, E_POT_INSUFFICIENT);
        table::add(&mut state.roots, number, Root { root, count, total, paid: 0, least, since, expires_at });
        state.promised = state.promised + total;
        event::emit(DividendsPublished { number, root, count, total, expires_at });
    }

    /// What nobody has claimed of an expired root is in the pot again, for the next roots (K6). By anyone.
    public entry fun roll_over(_caller: &signer, number: u64) acquires Dividends {
        let state = borrow_global_mut<Dividends>(@scs);
        assert!(table::contains(&state.roots, number), E_UNKNOWN_ROOT);
        let root = table::borrow_mut(&mut state.roots, number);
        assert!(timestamp::now_seconds() >= root.expires_at, E_NOT_EXPIRED);
        let amount = root.total - root.paid;
        assert!(amount > 0, E_ZERO_AMOUNT);
        root.total = root.paid;
        state.promised = state.promised - amount;
        event::emit(DividendsRolledOver { number, amount });
    }

    /// Pays the caller's leaves: for each root its number, the leaf's index and amount, and siblings from the leaf upwards.
    public entry fun claim(
        account: &signer,
        numbers: vector<u64>,
        indexes: vector<u64>,
        amounts: vector<u64>,
        paths: vector<vector<vector<u8>>>
    ) acquires Dividends {
        let owner = signer::address_of(account);
        let count = vector::length(&numbers);
        assert!(
            count <= MAX_CLAIMS && count == vector::length(&indexes) && count == vector::length(&amounts)
                && count == vector::length(&paths),
            E_BAD_CLAIM
        );
        let state = borrow_global_mut<Dividends>(@scs);
        let (sum, own) = (0, 0);
        for (i in 0..count) {
            let amount = *vector::borrow(&amounts, i);
            let leaf = Leaf { number: *vector::borrow(&numbers, i), index: *vector::borrow(&indexes, i) };
            let full = redeem(state, owner, leaf, amount, vector::borrow(&paths, i));
            sum = sum + amount;
            own = own + if (full) amount else amount / 2;
        };
        assert!(sum > 0, E_ZERO_AMOUNT);
        state.promised = state.promised - sum;
        primary_fungible_store::deposit(owner, treasury::take_dividends(own));
        if (own < sum) treasury::forfeit(treasury::take_dividends(sum - own));
        event::emit(DividendClaimed { account: owner, amount: own, withheld: sum - own });
    }

    #[view]
    /// Root, count, total, and what it has paid.
    public fun root(number: u64): (vector<u8>, u64, u64, u64) acquires Dividends {
        let roots = &borrow_global<Dividends>(@scs).roots;
        assert!(table::contains(roots, number), E_UNKNOWN_ROOT);
        let r = table::borrow(roots, number);
        (r.root, r.count, r.total, r.paid)
    }

    #[view]
    public fun is_published(number: u64): bool acquires Dividends {
        table::contains(&borrow_global<Dividends>(@scs).roots, number)
    }

    #[view]
    /// Least bond, since when, and when the root expires; seconds (K5, K6).
    public fun terms(number: u64): (u64, u64, u64) acquires Dividends {
        let roots = &borrow_global<Dividends>(@scs).roots;
        assert!(table::contains(roots, number), E_UNKNOWN_ROOT);
        let r = table::borrow(roots, number);
        (r.least, r.since, r.expires_at)
    }

    #[view]
    public fun is_claimed(number: u64, index: u64): bool acquires Dividends {
        table::contains(&borrow_global<Dividends>(@scs).claimed, Leaf { number, index })
    }

    #[view]
    /// What all roots together may still pay; never more than the dividend pot.
    public fun promised(): u64 acquires Dividends {
        borrow_global<Dividends>(@scs).promised
    }

    /// True when the owner gets all of it.
    fun redeem(state: &mut Dividends, owner: address, leaf: Leaf, amount: u64, path: &vector<vector<u8>>): bool {
        assert!(table::contains(&state.roots, leaf.number), E_UNKNOWN_ROOT);
        assert!(!table::contains(&state.claimed, leaf), E_ALREADY_CLAIMED);
        let root = table::borrow_mut(&mut state.roots, leaf.number);
        let bytes = bcs::to_bytes(&owner);
        vector::append(&mut bytes, bcs::to_bytes(&amount));
        assert!(merkle::proves_item(&root.root, leaf.index, root.count, bytes, path), E_PATH_MISMATCH);
        assert!(amount <= root.total - root.paid, E_ABOVE_TOTAL);
        root.paid = root.paid + amount;
        table::add(&mut state.claimed, leaf, true);
        let (bonded, since, _, _, _, expelled) = staking::bond(PRODUCER, owner);
        !expelled && bonded >= root.least && (root.least == 0 || since <= root.since)
    }
}
