/// One store an owner and asset, at an address that follows from both, so that anyone can pay anyone.
module aptos_framework::primary_fungible_store {
    use std::option::Option;
    use std::signer;
    use std::string::String;
    use aptos_framework::fungible_asset::{Self, BurnRef, FungibleAsset, FungibleStore, MintRef, TransferRef};
    use aptos_framework::object::{Self, ConstructorRef, DeriveRef, Object};

    /// On the asset's metadata object: the right to make its primary stores.
    struct DeriveRefPod has key {
        metadata_derive_ref: DeriveRef
    }

    public fun create_primary_store_enabled_fungible_asset(
        constructor_ref: &ConstructorRef,
        maximum_supply: Option<u128>,
        name: String,
        symbol: String,
        decimals: u8,
        icon_uri: String,
        project_uri: String
    ) {
        fungible_asset::add_fungibility(constructor_ref, maximum_supply, name, symbol, decimals, icon_uri, project_uri);
        let metadata = constructor_ref.generate_signer();
        move_to(&metadata, DeriveRefPod { metadata_derive_ref: constructor_ref.generate_derive_ref() });
    }

    public fun ensure_primary_store_exists<T: key>(owner: address, metadata: Object<T>): Object<FungibleStore> acquires DeriveRefPod {
        if (primary_store_exists(owner, metadata)) primary_store(owner, metadata) else create_primary_store(owner, metadata)
    }

    public fun create_primary_store<T: key>(owner_addr: address, metadata: Object<T>): Object<FungibleStore> acquires DeriveRefPod {
        let derive_ref = &borrow_global<DeriveRefPod>(metadata.object_address()).metadata_derive_ref;
        let made = object::create_user_derived_object(owner_addr, derive_ref);
        // A primary store stays with its owner.
        made.generate_transfer_ref().disable_ungated_transfer();
        fungible_asset::create_store(&made, metadata)
    }

    #[view]
    public fun primary_store_address<T: key>(owner: address, metadata: Object<T>): address {
        object::create_user_derived_object_address(owner, metadata.object_address())
    }

    #[view]
    public fun primary_store<T: key>(owner: address, metadata: Object<T>): Object<FungibleStore> {
        object::address_to_object<FungibleStore>(primary_store_address(owner, metadata))
    }

    #[view]
    public fun primary_store_exists<T: key>(account: address, metadata: Object<T>): bool {
        fungible_asset::store_exists(primary_store_address(account, metadata))
    }

    #[view]
    public fun balance<T: key>(account: address, metadata: Object<T>): u64 {
        if (primary_store_exists(account, metadata)) fungible_asset::balance(primary_store(account, metadata)) else 0
    }

    #[view]
    public fun is_balance_at_least<T: key>(account: address, metadata: Object<T>, amount: u64): bool {
        balance(account, metadata) >= amount
    }

    #[view]
    public fun is_frozen<T: key>(account: address, metadata: Object<T>): bool {
        primary_store_exists(account, metadata) && fungible_asset::is_frozen(primary_store(account, metadata))
    }

    public fun withdraw<T: key>(owner: &signer, metadata: Object<T>, amount: u64): FungibleAsset acquires DeriveRefPod {
        let store = ensure_primary_store_exists(signer::address_of(owner), metadata);
        fungible_asset::withdraw(owner, store, amount)
    }

    public fun deposit(owner: address, fa: FungibleAsset) acquires DeriveRefPod {
        let store = ensure_primary_store_exists(owner, fa.asset_metadata());
        fungible_asset::deposit(store, fa)
    }

    public entry fun transfer<T: key>(sender: &signer, metadata: Object<T>, recipient: address, amount: u64) acquires DeriveRefPod {
        let from = ensure_primary_store_exists(signer::address_of(sender), metadata);
        let to = ensure_primary_store_exists(recipient, metadata);
        fungible_asset::transfer(sender, from, to, amount)
    }

    public fun mint(mint_ref: &MintRef, owner: address, amount: u64) acquires DeriveRefPod {
        let store = ensure_primary_store_exists(owner, mint_ref.mint_ref_metadata());
        mint_ref.mint_to(store, amount)
    }

    public fun burn(burn_ref: &BurnRef, owner: address, amount: u64) {
        burn_ref.burn_from(primary_store(owner, burn_ref.burn_ref_metadata()), amount)
    }

    public fun set_frozen_flag(transfer_ref: &TransferRef, owner: address, frozen: bool) acquires DeriveRefPod {
        let store = ensure_primary_store_exists(owner, transfer_ref.transfer_ref_metadata());
        transfer_ref.set_frozen_flag(store, frozen)
    }

    public fun withdraw_with_ref(transfer_ref: &TransferRef, owner: address, amount: u64): FungibleAsset {
        transfer_ref.withdraw_with_ref(primary_store(owner, transfer_ref.transfer_ref_metadata()), amount)
    }

    public fun deposit_with_ref(transfer_ref: &TransferRef, owner: address, fa: FungibleAsset) acquires DeriveRefPod {
        let store = ensure_primary_store_exists(owner, transfer_ref.transfer_ref_metadata());
        transfer_ref.deposit_with_ref(store, fa)
    }

    public fun transfer_with_ref(transfer_ref: &TransferRef, from: address, to: address, amount: u64) acquires DeriveRefPod {
        let source = primary_store(from, transfer_ref.transfer_ref_metadata());
        let target = ensure_primary_store_exists(to, transfer_ref.transfer_ref_metadata());
        transfer_ref.transfer_with_ref(source, target, amount)
    }

    #[test_only]
    use std::option;
    #[test_only]
    use std::string;
    #[test_only]
    use aptos_framework::fungible_asset::Metadata;

    #[test_only]
    fun new_asset(creator: &signer): (MintRef, TransferRef, BurnRef, Object<Metadata>) {
        let made = object::create_named_object(creator, b"TEST");
        create_primary_store_enabled_fungible_asset(
            &made, option::none(), string::utf8(b"Test"), string::utf8(b"TEST"), 8, string::utf8(b""), string::utf8(b"")
        );
        (
            fungible_asset::generate_mint_ref(&made),
            fungible_asset::generate_transfer_ref(&made),
            fungible_asset::generate_burn_ref(&made),
            made.object_from_constructor_ref::<Metadata>()
        )
    }

    #[test(alice = @0xa11ce)]
    fun anyone_can_be_paid(alice: &signer) acquires DeriveRefPod {
        let (minting, moving, burning, metadata) = new_asset(alice);
        mint(&minting, @0xa11ce, 100);
        transfer(alice, metadata, @0xb0b, 40);
        deposit(@0xc, withdraw(alice, metadata, 10));
        transfer_with_ref(&moving, @0xb0b, @0xc, 15);
        burn(&burning, @0xc, 5);
        assert!(balance(@0xa11ce, metadata) == 50 && balance(@0xb0b, metadata) == 25 && balance(@0xc, metadata) == 20, 0);
        assert!(fungible_asset::supply(metadata) == option::some(95) && balance(@0xd, metadata) == 0, 1);
        assert!(object::is_owner(primary_store(@0xb0b, metadata), @0xb0b), 2);
    }

    #[test(alice = @0xa11ce), expected_failure(abort_code = 0x50003, location = aptos_framework::object)]
    fun a_primary_store_stays_with_its_owner(alice: &signer) acquires DeriveRefPod {
        let (minting, _, _, metadata) = new_asset(alice);
        mint(&minting, @0xa11ce, 1);
        object::transfer(alice, primary_store(@0xa11ce, metadata), @0xb0b);
    }
}
