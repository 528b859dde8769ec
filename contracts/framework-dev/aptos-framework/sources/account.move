/// Accounts. The node writes this resource with an account's first transaction, and its sequence number with each.
module aptos_framework::account {
    use std::bcs;
    use std::error;
    #[test_only]
    use std::signer;

    friend aptos_framework::object;
    friend aptos_framework::devnet_gas;

    /// There is an account at that address.
    const EACCOUNT_ALREADY_EXISTS: u64 = 1;
    /// There is no account at that address.
    const EACCOUNT_DOES_NOT_EXIST: u64 = 2;

    struct Account has key, store {
        authentication_key: vector<u8>,
        sequence_number: u64,
        guid_creation_num: u64
    }

    #[view]
    public fun exists_at(addr: address): bool {
        exists<Account>(addr)
    }

    #[view]
    public fun get_sequence_number(addr: address): u64 acquires Account {
        if (exists<Account>(addr)) borrow_global<Account>(addr).sequence_number else 0
    }

    #[view]
    public fun get_authentication_key(addr: address): vector<u8> acquires Account {
        if (exists<Account>(addr)) borrow_global<Account>(addr).authentication_key else bcs::to_bytes(&addr)
    }

    public(friend) fun create_if_missing(addr: address) {
        if (!exists<Account>(addr)) { create(addr); }
    }

    fun create(addr: address): signer {
        assert!(!exists<Account>(addr), error::already_exists(EACCOUNT_ALREADY_EXISTS));
        let owner = create_signer(addr);
        move_to(&owner, Account { authentication_key: bcs::to_bytes(&addr), sequence_number: 0, guid_creation_num: 0 });
        owner
    }

    /// Whoever holds this makes itself anyone: friends only.
    native public(friend) fun create_signer(addr: address): signer;

    #[test_only]
    public fun create_account_for_test(new_address: address): signer {
        create(new_address)
    }

    #[test_only]
    public fun create_signer_for_test(addr: address): signer {
        create_signer(addr)
    }

    #[test]
    fun an_account_starts_at_sequence_number_zero() acquires Account {
        let alice = create_account_for_test(@0xa11ce);
        assert!(signer::address_of(&alice) == @0xa11ce && exists_at(@0xa11ce), 0);
        assert!(get_sequence_number(@0xa11ce) == 0 && get_authentication_key(@0xa11ce) == bcs::to_bytes(&@0xa11ce), 1);
    }
}
