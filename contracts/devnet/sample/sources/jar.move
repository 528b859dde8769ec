/// A package for the devnet's own tests: a token, a jar that holds it, tables, events, time and signatures.
module sample::jar {
    use std::bcs;
    use std::hash;
    use std::option;
    use std::signer;
    use std::string::{Self, String};
    use aptos_std::ed25519;
    use aptos_std::table::{Self, Table};
    use aptos_framework::event;
    use aptos_framework::fungible_asset::{Self, FungibleStore, Metadata, MintRef};
    use aptos_framework::object::{Self, ExtendRef, Object};
    use aptos_framework::primary_fungible_store;
    use aptos_framework::timestamp;

    /// Nothing was ever put in by that account.
    const E_NOTHING_PUT: u64 = 1;
    /// The jar still holds back what was put in less than ten seconds ago.
    const E_LOCKED: u64 = 3;
    /// The signature doesn't fit.
    const E_BAD_SIGNATURE: u64 = 4;

    const LOCK_SECONDS: u64 = 10;

    struct Jar has key {
        control: ExtendRef,
        token: Object<Metadata>,
        minting: MintRef,
        store: Object<FungibleStore>,
        deposits: Table<address, Deposit>,
        count: u64
    }

    struct Deposit has store, drop, copy {
        amount: u64,
        unlocked_at: u64
    }

    #[event]
    struct Put has drop, store {
        who: address,
        amount: u64,
        note: String
    }

    /// What `sow` and `swell` write: Aptos bounds how much one transaction may.
    struct Field has key {
        rows: Table<u64, u64>,
        bytes: vector<u8>
    }

    #[event]
    struct Shout has drop, store {
        bytes: vector<u8>
    }

    fun init_module(publisher: &signer) {
        let token = object::create_named_object(publisher, b"TOKEN");
        primary_fungible_store::create_primary_store_enabled_fungible_asset(
            &token, option::some(1000000000), string::utf8(b"Jar token"), string::utf8(b"JAR"), 8, string::utf8(b""), string::utf8(b"")
        );
        let jar = object::create_named_object(publisher, b"JAR");
        let metadata = object::object_from_constructor_ref<Metadata>(&token);
        let holder = object::generate_signer(&jar);
        let store = fungible_asset::create_store(&object::create_object(signer::address_of(&holder)), metadata);
        move_to(publisher, Jar {
            control: object::generate_extend_ref(&jar),
            token: metadata,
            minting: fungible_asset::generate_mint_ref(&token),
            store,
            deposits: table::new(),
            count: 0
        });
    }

    /// Anyone can have tokens: it is a sample.
    public entry fun mint(to: &signer, amount: u64) acquires Jar {
        primary_fungible_store::mint(&Jar[@sample].minting, signer::address_of(to), amount);
    }

    public entry fun put(from: &signer, amount: u64, note: String) acquires Jar {
        let jar = &mut Jar[@sample];
        fungible_asset::deposit(jar.store, primary_fungible_store::withdraw(from, jar.token, amount));
        let who = signer::address_of(from);
        let deposit = jar.deposits.borrow_mut_with_default(who, Deposit { amount: 0, unlocked_at: 0 });
        deposit.amount += amount;
        deposit.unlocked_at = timestamp::now_seconds() + LOCK_SECONDS;
        jar.count += 1;
        event::emit(Put { who, amount, note });
    }

    public entry fun take(to: &signer) acquires Jar {
        let jar = &mut Jar[@sample];
        let who = signer::address_of(to);
        assert!(jar.deposits.contains(who), E_NOTHING_PUT);
        let Deposit { amount, unlocked_at } = jar.deposits.remove(who);
        assert!(timestamp::now_seconds() >= unlocked_at, E_LOCKED);
        let holder = object::generate_signer_for_extending(&jar.control);
        primary_fungible_store::deposit(who, fungible_asset::withdraw(&holder, jar.store, amount));
    }

    public entry fun check(message: vector<u8>, public_key: vector<u8>, signature: vector<u8>) {
        let pk = ed25519::new_unvalidated_public_key_from_bytes(public_key);
        assert!(ed25519::signature_verify_strict(&ed25519::new_signature_from_bytes(signature), &pk, message), E_BAD_SIGNATURE);
    }

    /// One write for each row.
    public entry fun sow(who: &signer, count: u64) {
        let rows = table::new();
        for (i in 0..count) table::add(&mut rows, i, i);
        move_to(who, Field { rows, bytes: vector[] });
    }

    /// One write of so many bytes and some.
    public entry fun swell(who: &signer, count: u64) {
        move_to(who, Field { rows: table::new(), bytes: bytes(count) });
    }

    /// Events of so many bytes each, and some.
    public entry fun shout(_who: &signer, times: u64, count: u64) {
        let loud = bytes(count);
        for (_i in 0..times) event::emit(Shout { bytes: loud });
    }

    /// Two who agree.
    public entry fun mint_for_both(one: &signer, other: &signer, amount: u64) acquires Jar {
        mint(one, amount);
        mint(other, amount);
    }

    /// At least so many bytes, by the native that costs least.
    fun bytes(count: u64): vector<u8> {
        let kibibyte = x"00";
        for (_i in 0..10) {
            let copied = kibibyte;
            kibibyte.append(copied);
        };
        let (parts, kibibytes) = (vector[], (count + 1023) / 1024);
        for (_i in 0..kibibytes) parts.push_back(kibibyte);
        bcs::to_bytes(&parts)
    }

    /// Never ends: what gas limits are for.
    public entry fun spin(_who: &signer) {
        loop {}
    }

    #[view]
    public fun count(): u64 acquires Jar {
        Jar[@sample].count
    }

    #[view]
    public fun deposit_of(who: address): Deposit acquires Jar {
        *Jar[@sample].deposits.borrow(who)
    }

    #[view]
    public fun token(): Object<Metadata> acquires Jar {
        Jar[@sample].token
    }

    #[view]
    public fun deposits_handle(): (u64, u128, vector<u8>, option::Option<u64>, bool, String, vector<address>) {
        (1, 2, x"0102", option::some(7), true, string::utf8(b"text"), vector[@0x1, @0x2])
    }

    #[view]
    public fun now(): u64 {
        timestamp::now_seconds()
    }

    #[view]
    public fun digest(x: u64): vector<u8> {
        hash::sha3_256(bcs::to_bytes(&x))
    }

    #[test(publisher = @sample, alice = @0xa11ce, framework = @aptos_framework)]
    fun what_is_put_comes_back_after_the_lock(publisher: &signer, alice: &signer, framework: &signer) acquires Jar {
        timestamp::set_time_has_started_for_testing(framework);
        init_module(publisher);
        mint(alice, 50);
        put(alice, 30, string::utf8(b"x"));
        assert!(primary_fungible_store::balance(@0xa11ce, token()) == 20, 0);
        timestamp::fast_forward_seconds(LOCK_SECONDS);
        take(alice);
        assert!(primary_fungible_store::balance(@0xa11ce, token()) == 50 && count() == 1, 1);
    }

    #[test(publisher = @sample, alice = @0xa11ce, framework = @aptos_framework), expected_failure(abort_code = E_LOCKED)]
    fun the_lock_holds(publisher: &signer, alice: &signer, framework: &signer) acquires Jar {
        timestamp::set_time_has_started_for_testing(framework);
        init_module(publisher);
        mint(alice, 50);
        put(alice, 30, string::utf8(b"x"));
        take(alice);
    }
}
