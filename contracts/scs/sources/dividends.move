/// Dividends to data producers (rules K3, K5, K6): the pot that batches fill is given out by certified Merkle roots. Whoever a leaf
/// names claims it by its path, once; any number of roots in one claim. No root pays more than its own total, whatever its
/// leaves say; what is in the pot and in no root waits for the next. Twin of `protocol/src/dividends.ts`.
module scs::dividends {
    use std::bcs;
    use std::signer;
    use std::vector;
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use aptos_framework::primary_fungible_store;
    use scs::committee;
    use scs::merkle;
    use scs::reader;
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
        paid: u64
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
        withheld: u64
    }

    #[event]
    struct DividendClaimed has drop, store {
        account: address,
        amount: u64
    }

    public(package) fun start(publisher: &signer) {
        move_to(publisher, Dividends { roots: table::new(), claimed: table::new(), promised: 0 });
    }

    /// The state leaf `dividends/<number>`, each once, in any order, by anyone. `total` is promised to its leaves; `withheld`,
    /// the half that producers without a stake don't get (K5), goes to the treasury's reserve.
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
        let (count, total, withheld) = (reader.read_u64(), reader.read_u64(), reader.read_u64());
        reader.finish();
        committee::check_leaf(&certified, merkle::numbered_key(KEY_PREFIX, number), dividends, &siblings);
        let state = borrow_global_mut<Dividends>(@scs);
        assert!(!table::contains(&state.roots, number), E_ALREADY_PUBLISHED);
        assert!(total > 0, E_ZERO_AMOUNT);
        let (_, pot, _, _, _) = treasury::totals();
        let needed = (state.promised as u128) + (total as u128) + (withheld as u128);
        assert!(needed <= (pot as u128), E_POT_INSUFFICIENT);
        table::add(&mut state.roots, number, Root { root, count, total, paid: 0 });
        state.promised = state.promised + total;
        if (withheld > 0) treasury::forfeit(treasury::take_dividends(withheld));
        event::emit(DividendsPublished { number, root, count, total, withheld });
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
        let sum = 0;
        for (i in 0..count) {
            let amount = *vector::borrow(&amounts, i);
            let leaf = Leaf { number: *vector::borrow(&numbers, i), index: *vector::borrow(&indexes, i) };
            redeem(state, owner, leaf, amount, vector::borrow(&paths, i));
            sum = sum + amount;
        };
        assert!(sum > 0, E_ZERO_AMOUNT);
        state.promised = state.promised - sum;
        primary_fungible_store::deposit(owner, treasury::take_dividends(sum));
        event::emit(DividendClaimed { account: owner, amount: sum });
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
    public fun is_claimed(number: u64, index: u64): bool acquires Dividends {
        table::contains(&borrow_global<Dividends>(@scs).claimed, Leaf { number, index })
    }

    #[view]
    /// What all roots together may still pay; never more than the dividend pot.
    public fun promised(): u64 acquires Dividends {
        borrow_global<Dividends>(@scs).promised
    }

    fun redeem(state: &mut Dividends, owner: address, leaf: Leaf, amount: u64, path: &vector<vector<u8>>) {
        assert!(table::contains(&state.roots, leaf.number), E_UNKNOWN_ROOT);
        assert!(!table::contains(&state.claimed, leaf), E_ALREADY_CLAIMED);
        let root = table::borrow_mut(&mut state.roots, leaf.number);
        let bytes = bcs::to_bytes(&owner);
        vector::append(&mut bytes, bcs::to_bytes(&amount));
        assert!(merkle::proves_item(&root.root, leaf.index, root.count, bytes, path), E_PATH_MISMATCH);
        assert!(amount <= root.total - root.paid, E_ABOVE_TOTAL);
        root.paid = root.paid + amount;
        table::add(&mut state.claimed, leaf, true);
    }
}
