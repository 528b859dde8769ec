/// Bonds of masters, enterprises and producers (rules G3, K5). How much each role needs is policy's to say; what is here is
/// who has bonded what since when. Leaving takes longer than a task and its challenge window, so that whoever misbehaves
/// still has something to lose; but it needs nobody's consent. Twin of `protocol/src/staking.ts`.
///
///     bonded --request_unbond--> unbonding --delay--> ripe --withdraw--> in the owner's hands
///        ^------cancel_unbond-------'------------------'
module scs::staking {
    use std::bcs;
    use std::signer;
    use std::vector;
    use aptos_std::from_bcs;
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use aptos_framework::fungible_asset;
    use aptos_framework::primary_fungible_store;
    use aptos_framework::timestamp;
    use scs::committee;
    use scs::merkle;
    use scs::purse::{Self, Purse};
    use scs::reader;
    use scs::rewards;
    use scs::sym;
    use scs::treasury;

    /// An amount of nothing.
    const E_ZERO_AMOUNT: u64 = 1;
    /// Roles are master 0, enterprise 1, producer 2; masters bond by `stake_master`.
    const E_UNKNOWN_ROLE: u64 = 2;
    /// The last grade took stake and membership, for good.
    const E_EXPELLED: u64 = 3;
    /// Less is bonded than is asked for.
    const E_STAKE_INSUFFICIENT: u64 = 4;
    /// An unbonding is under way: cancel or withdraw it first.
    const E_UNBOND_PENDING: u64 = 5;
    /// Nothing is unbonding.
    const E_NO_UNBOND: u64 = 6;
    /// The delay since the request isn't over.
    const E_UNBOND_NOT_RIPE: u64 = 7;
    /// The signature isn't this master's for this owner.
    const E_BAD_SIGNATURE: u64 = 8;
    /// The key isn't one of the current committee's.
    const E_UNKNOWN_MASTER: u64 = 9;
    /// Another account bonds for this master.
    const E_MASTER_TAKEN: u64 = 10;
    /// This penalty was exacted before.
    const E_ALREADY_SLASHED: u64 = 11;
    /// Grades are liveness 0, invalid evidence 1, confirmed challenge 2, equivocation 3.
    const E_UNKNOWN_GRADE: u64 = 12;
    /// A challenger's share is at most 10,000 basis points.
    const E_BAD_SHARE: u64 = 13;

    const MASTER: u8 = 0;
    const PRODUCER: u8 = 2;
    const EQUIVOCATION: u64 = 3;
    const BASIS_POINTS: u128 = 10_000;
    const DIGEST_LENGTH: u64 = 32;
    const ADDRESS_LENGTH: u64 = 32;
    const STAKE_TAG: vector<u8> = b"SCS::stake::v1";
    const KEY_PREFIX: vector<u8> = b"slash/";

    struct Stakes has key {
        purse: Purse,
        bonds: Table<Seat, Bond>,
        /// Who bonds for the master with this key. Bound once: a key's misdeeds stay its owner's.
        masters: Table<vector<u8>, address>,
        slashed: Table<u64, bool>,
        unbond_seconds: u64
    }

    struct Seat has copy, drop, store {
        role: u8,
        owner: address
    }

    /// `since`: from when no less than `bonded` has been bonded without a break (K5): adding renews it. `unbonding` no longer counts as bonded, and can be
    /// slashed until it is withdrawn.
    struct Bond has copy, drop, store {
        bonded: u64,
        since: u64,
        unbonding: u64,
        ripens_at: u64,
        offences: u64,
        expelled: bool
    }

    struct Penalty has drop {
        number: u64,
        role: u8,
        offender: address,
        grade: u64,
        /// Digest of what it is for.
        case: vector<u8>,
        challenger: address,
        /// Basis points of what is taken that go to the challenger.
        share: u64
    }

    #[event]
    struct Staked has drop, store {
        role: u8,
        owner: address,
        amount: u64
    }

    #[event]
    struct UnbondRequested has drop, store {
        role: u8,
        owner: address,
        amount: u64,
        ripens_at: u64
    }

    #[event]
    struct UnbondCancelled has drop, store {
        role: u8,
        owner: address
    }

    #[event]
    struct Unstaked has drop, store {
        role: u8,
        owner: address,
        amount: u64
    }

    #[event]
    struct Slashed has drop, store {
        role: u8,
        owner: address,
        /// The grade that was applied, repeats counted.
        level: u64,
        amount: u64,
        expelled: bool,
        /// Digest of the case; empty for equivocation, whose proof is an event of its own.
        case: vector<u8>
    }

    public(package) fun start(publisher: &signer, unbond_seconds: u64) {
        move_to(
            publisher,
            Stakes {
                purse: purse::create(publisher, b"SCS::staking"),
                bonds: table::new(),
                masters: table::new(),
                slashed: table::new(),
                unbond_seconds
            }
        );
    }

    /// Bonds as enterprise (1) or producer (2).
    public entry fun stake(owner: &signer, role: u8, amount: u64) acquires Stakes {
        assert!(role != MASTER && role <= PRODUCER, E_UNKNOWN_ROLE);
        add(owner, role, amount);
    }

    /// Bonds for the master with this key, who agreed by signing `"SCS::stake::v1" || genesis digest || owner`.
    public entry fun stake_master(
        owner: &signer, amount: u64, key: vector<u8>, signature: vector<u8>
    ) acquires Stakes {
        let address = signer::address_of(owner);
        let (_, keys) = committee::current();
        assert!(vector::contains(&keys, &key), E_UNKNOWN_MASTER);
        assert!(committee::signed_by(key, stake_message(address), signature), E_BAD_SIGNATURE);
        let masters = &mut borrow_global_mut<Stakes>(@scs).masters;
        if (table::contains(masters, key)) assert!(*table::borrow(masters, key) == address, E_MASTER_TAKEN)
        else table::add(masters, key, address);
        add(owner, MASTER, amount);
    }

    /// From now on `amount` doesn't count as bonded; after the delay it may be withdrawn.
    public entry fun request_unbond(owner: &signer, role: u8, amount: u64) acquires Stakes {
        assert!(amount > 0, E_ZERO_AMOUNT);
        let address = signer::address_of(owner);
        let stakes = borrow_global_mut<Stakes>(@scs);
        let ripens_at = timestamp::now_seconds() + stakes.unbond_seconds;
        let bond = bond_mut(&mut stakes.bonds, role, address);
        assert!(bond.unbonding == 0, E_UNBOND_PENDING);
        assert!(amount <= bond.bonded, E_STAKE_INSUFFICIENT);
        bond.bonded = bond.bonded - amount;
        bond.unbonding = amount;
        bond.ripens_at = ripens_at;
        settle_since(bond);
        event::emit(UnbondRequested { role, owner: address, amount, ripens_at });
    }

    /// Bonds it again, as from now.
    public entry fun cancel_unbond(owner: &signer, role: u8) acquires Stakes {
        let address = signer::address_of(owner);
        let bond = bond_mut(&mut borrow_global_mut<Stakes>(@scs).bonds, role, address);
        assert!(bond.unbonding > 0, E_NO_UNBOND);
        bond.bonded = bond.bonded + bond.unbonding;
        bond.since = timestamp::now_seconds();
        clear_unbond(bond);
        event::emit(UnbondCancelled { role, owner: address });
    }

    /// Pays what has ripened. It never expires: what is unbonding earns nothing.
    public entry fun withdraw(owner: &signer, role: u8) acquires Stakes {
        let address = signer::address_of(owner);
        let stakes = borrow_global_mut<Stakes>(@scs);
        let bond = bond_mut(&mut stakes.bonds, role, address);
        let amount = bond.unbonding;
        assert!(amount > 0, E_NO_UNBOND);
        assert!(timestamp::now_seconds() >= bond.ripens_at, E_UNBOND_NOT_RIPE);
        clear_unbond(bond);
        primary_fungible_store::deposit(address, stakes.purse.take(amount));
        event::emit(Unstaked { role, owner: address, amount });
    }

    /// Exacts the penalty that is the state leaf `slash/<number>`, once. Anyone may submit it, in any order. Never aborts for
    /// the state of the offender: who has nothing left loses nothing, and the offence counts.
    public entry fun slash(
        _caller: &signer,
        head: vector<u8>,
        masters: vector<u8>,
        signatures: vector<vector<u8>>,
        penalty: vector<u8>,
        siblings: vector<vector<u8>>
    ) acquires Stakes {
        let certified = committee::verify_head(head, masters, signatures);
        let Penalty { number, role, offender, grade, case, challenger, share } = parse_penalty(penalty);
        committee::check_leaf(&certified, merkle::numbered_key(KEY_PREFIX, number), penalty, &siblings);
        let slashed = &mut borrow_global_mut<Stakes>(@scs).slashed;
        assert!(!table::contains(slashed, number), E_ALREADY_SLASHED);
        table::add(slashed, number, true);
        punish(role, offender, grade, case, challenger, share);
    }

    /// Equivocation was proven: no certificate is asked for (G4).
    public(package) fun convict(key: vector<u8>) acquires Stakes {
        let masters = &borrow_global<Stakes>(@scs).masters;
        if (!table::contains(masters, key)) return;
        let owner = *table::borrow(masters, key);
        punish(MASTER, owner, EQUIVOCATION, vector[], @0x0, 0);
    }

    #[view]
    /// Bonded, since when (seconds, 0 when nothing is), unbonding, when that ripens, offences, expelled.
    public fun bond(role: u8, owner: address): (u64, u64, u64, u64, u64, bool) acquires Stakes {
        let b = *table::borrow_with_default(&borrow_global<Stakes>(@scs).bonds, Seat { role, owner }, &empty());
        (b.bonded, b.since, b.unbonding, b.ripens_at, b.offences, b.expelled)
    }

    #[view]
    /// What each of these owners has bonded in that role; 0 for who was expelled. For the masters' readings (N3, G3).
    public fun standing(role: u8, owners: vector<address>): vector<u64> acquires Stakes {
        let bonds = &borrow_global<Stakes>(@scs).bonds;
        vector::map(owners, |owner| {
            let b = *table::borrow_with_default(bonds, Seat { role, owner }, &empty());
            if (b.expelled) 0 else b.bonded
        })
    }

    #[view]
    /// The same for the masters with these keys.
    public fun masters_standing(keys: vector<vector<u8>>): vector<u64> acquires Stakes {
        vector::map(keys, |key| {
            let owners = bonds_for(key);
            if (vector::is_empty(&owners)) 0 else *vector::borrow(&standing(MASTER, owners), 0)
        })
    }

    #[view]
    public fun is_slashed(number: u64): bool acquires Stakes {
        table::contains(&borrow_global<Stakes>(@scs).slashed, number)
    }

    #[view]
    /// Who bonds for the master with this key.
    public fun bonds_for(key: vector<u8>): vector<address> acquires Stakes {
        let masters = &borrow_global<Stakes>(@scs).masters;
        if (table::contains(masters, key)) vector[*table::borrow(masters, key)] else vector[]
    }

    #[view]
    /// Delay between request and withdrawal, in seconds.
    public fun unbond_seconds(): u64 acquires Stakes {
        borrow_global<Stakes>(@scs).unbond_seconds
    }

    #[view]
    /// Sum of what is bonded and unbonding.
    public fun total(): u64 acquires Stakes {
        borrow_global<Stakes>(@scs).purse.held()
    }

    #[view]
    /// What lies in the store; never less than what is accounted for.
    public fun stored(): u64 acquires Stakes {
        borrow_global<Stakes>(@scs).purse.balance()
    }

    #[view]
    /// What an offence of this grade takes of `held` base units after so many earlier offences, rounded up.
    public fun penalty_of(held: u64, grade: u64, offences: u64): u64 {
        let points = basis_points(level_of(grade, offences));
        ((((held as u128) * points + BASIS_POINTS - 1) / BASIS_POINTS) as u64)
    }

    fun add(owner: &signer, role: u8, amount: u64) acquires Stakes {
        assert!(amount > 0, E_ZERO_AMOUNT);
        let address = signer::address_of(owner);
        let coins = primary_fungible_store::withdraw(owner, sym::metadata(), amount);
        let stakes = borrow_global_mut<Stakes>(@scs);
        let bond = bond_mut(&mut stakes.bonds, role, address);
        assert!(!bond.expelled, E_EXPELLED);
        bond.since = timestamp::now_seconds();
        bond.bonded = bond.bonded + amount;
        stakes.purse.put(coins);
        event::emit(Staked { role, owner: address, amount });
    }

    /// Takes from what is bonded, then from what is unbonding. The last level takes all of both, and membership.
    fun punish(
        role: u8, owner: address, grade: u64, case: vector<u8>, challenger: address, share: u64
    ) acquires Stakes {
        let stakes = borrow_global_mut<Stakes>(@scs);
        let bond = bond_mut(&mut stakes.bonds, role, owner);
        let level = level_of(grade, bond.offences);
        let amount = penalty_of(bond.bonded + bond.unbonding, grade, bond.offences);
        let from_bonded = if (amount < bond.bonded) amount else bond.bonded;
        bond.bonded = bond.bonded - from_bonded;
        bond.unbonding = bond.unbonding - (amount - from_bonded);
        if (bond.unbonding == 0) clear_unbond(bond);
        settle_since(bond);
        bond.offences = bond.offences + 1;
        bond.expelled = bond.expelled || level == EQUIVOCATION;
        event::emit(Slashed { role, owner, level, amount, expelled: bond.expelled, case });
        if (amount == 0) return;
        let coins = stakes.purse.take(amount);
        let reward = (((amount as u128) * (share as u128) / BASIS_POINTS) as u64);
        if (reward > 0) {
            rewards::credit(challenger, reward);
            rewards::fund(fungible_asset::extract(&mut coins, reward));
        };
        treasury::forfeit(coins);
    }

    /// Repeats climb.
    fun level_of(grade: u64, offences: u64): u64 {
        if (offences >= EQUIVOCATION - grade) EQUIVOCATION else grade + offences
    }

    fun basis_points(level: u64): u128 {
        if (level == 0) 100 else if (level == 1) 1_000 else if (level == 2) 3_000 else 10_000
    }

    fun stake_message(owner: address): vector<u8> {
        let (genesis, _) = committee::genesis();
        let message = STAKE_TAG;
        vector::append(&mut message, genesis);
        vector::append(&mut message, bcs::to_bytes(&owner));
        message
    }

    fun parse_penalty(bytes: vector<u8>): Penalty {
        let reader = reader::of(bytes);
        let number = reader.read_u64();
        let role = vector::pop_back(&mut reader.read_bytes(1));
        let offender = from_bcs::to_address(reader.read_bytes(ADDRESS_LENGTH));
        let grade = (vector::pop_back(&mut reader.read_bytes(1)) as u64);
        let case = reader.read_bytes(DIGEST_LENGTH);
        let challenger = from_bcs::to_address(reader.read_bytes(ADDRESS_LENGTH));
        let share = reader.read_u64();
        reader.finish();
        assert!(role <= PRODUCER, E_UNKNOWN_ROLE);
        assert!(grade <= EQUIVOCATION, E_UNKNOWN_GRADE);
        assert!((share as u128) <= BASIS_POINTS, E_BAD_SHARE);
        Penalty { number, role, offender, grade, case, challenger, share }
    }

    fun bond_mut(bonds: &mut Table<Seat, Bond>, role: u8, owner: address): &mut Bond {
        table::borrow_mut_with_default(bonds, Seat { role, owner }, empty())
    }

    fun empty(): Bond {
        Bond { bonded: 0, since: 0, unbonding: 0, ripens_at: 0, offences: 0, expelled: false }
    }

    fun settle_since(bond: &mut Bond) {
        if (bond.bonded == 0) bond.since = 0;
    }

    fun clear_unbond(bond: &mut Bond) {
        bond.unbonding = 0;
        bond.ripens_at = 0;
    }
}
