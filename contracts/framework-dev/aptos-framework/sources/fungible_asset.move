/// Fungible assets: amounts of one kind (`Metadata`, an object), kept in stores (objects too), moved as a value that can neither
/// be copied nor dropped. So that none is lost or made: only `mint` and `burn` change the supply.
module aptos_framework::fungible_asset {
    use std::error;
    use std::option::{Self, Option};
    use std::signer;
    use std::string::String;
    use aptos_framework::event;
    use aptos_framework::object::{Self, ConstructorRef, DeleteRef, Object};

    friend aptos_framework::primary_fungible_store;

    /// The transfer reference is of another asset.
    const ETRANSFER_REF_AND_FUNGIBLE_ASSET_MISMATCH: u64 = 2;
    /// The store is frozen.
    const ESTORE_IS_FROZEN: u64 = 3;
    /// The store or asset holds less than that.
    const EINSUFFICIENT_BALANCE: u64 = 4;
    /// The supply would exceed its maximum.
    const EMAX_SUPPLY_EXCEEDED: u64 = 5;
    /// Two different assets can't be merged.
    const EFUNGIBLE_ASSET_MISMATCH: u64 = 6;
    /// The signer doesn't own the store.
    const ENOT_STORE_OWNER: u64 = 8;
    /// The transfer reference is of another asset than the store's.
    const ETRANSFER_REF_AND_STORE_MISMATCH: u64 = 9;
    /// The burn reference is of another asset than the store's.
    const EBURN_REF_AND_STORE_MISMATCH: u64 = 10;
    /// The store holds another asset.
    const EFUNGIBLE_ASSET_AND_STORE_MISMATCH: u64 = 11;
    /// Only nothing can be thrown away.
    const EAMOUNT_IS_NOT_ZERO: u64 = 12;
    /// The burn reference is of another asset.
    const EBURN_REF_AND_FUNGIBLE_ASSET_MISMATCH: u64 = 13;
    /// A store is removed empty.
    const EBALANCE_IS_NOT_ZERO: u64 = 14;
    const ENAME_TOO_LONG: u64 = 15;
    const ESYMBOL_TOO_LONG: u64 = 16;
    const EDECIMALS_TOO_LARGE: u64 = 17;
    /// Metadata lives on objects that can't be deleted.
    const EOBJECT_IS_DELETABLE: u64 = 18;
    const EURI_TOO_LONG: u64 = 19;
    /// More would be burnt than there is.
    const ESUPPLY_UNDERFLOW: u64 = 20;
    const ESUPPLY_NOT_FOUND: u64 = 21;
    /// There is no store.
    const EFUNGIBLE_STORE_EXISTENCE: u64 = 23;

    const MAX_NAME_LENGTH: u64 = 32;
    const MAX_SYMBOL_LENGTH: u64 = 32;
    const MAX_DECIMALS: u8 = 32;
    const MAX_URI_LENGTH: u64 = 512;
    const MAX_U128: u128 = 340282366920938463463374607431768211455;

    struct Supply has key {
        current: u128,
        /// None: unlimited.
        maximum: Option<u128>
    }

    struct Metadata has key, copy, drop {
        name: String,
        symbol: String,
        decimals: u8,
        icon_uri: String,
        project_uri: String
    }

    /// Present on assets whose stores can't be transferred as objects.
    struct Untransferable has key {}

    struct FungibleStore has key {
        metadata: Object<Metadata>,
        balance: u64,
        frozen: bool
    }

    /// An amount on its way. It must end in a store or be burnt.
    struct FungibleAsset {
        metadata: Object<Metadata>,
        amount: u64
    }

    struct MintRef has drop, store {
        metadata: Object<Metadata>
    }

    struct TransferRef has drop, store {
        metadata: Object<Metadata>
    }

    struct BurnRef has drop, store {
        metadata: Object<Metadata>
    }

    #[event]
    struct Creation has drop, store {
        metadata: address,
        name: String,
        symbol: String,
        decimals: u8,
        icon_uri: String,
        project_uri: String,
        maximum_supply: Option<u128>
    }

    #[event]
    struct Deposit has drop, store {
        store: address,
        amount: u64
    }

    #[event]
    struct Withdraw has drop, store {
        store: address,
        amount: u64
    }

    #[event]
    struct Frozen has drop, store {
        store: address,
        frozen: bool
    }

    #[event]
    struct FungibleStoreDeletion has drop, store {
        store: address,
        owner: address,
        metadata: address
    }

    // An asset is made

    public fun add_fungibility(
        constructor_ref: &ConstructorRef,
        maximum_supply: Option<u128>,
        name: String,
        symbol: String,
        decimals: u8,
        icon_uri: String,
        project_uri: String
    ): Object<Metadata> {
        assert!(!constructor_ref.can_generate_delete_ref(), error::invalid_argument(EOBJECT_IS_DELETABLE));
        assert!(name.length() <= MAX_NAME_LENGTH, error::out_of_range(ENAME_TOO_LONG));
        assert!(symbol.length() <= MAX_SYMBOL_LENGTH, error::out_of_range(ESYMBOL_TOO_LONG));
        assert!(decimals <= MAX_DECIMALS, error::out_of_range(EDECIMALS_TOO_LARGE));
        assert!(icon_uri.length() <= MAX_URI_LENGTH, error::out_of_range(EURI_TOO_LONG));
        assert!(project_uri.length() <= MAX_URI_LENGTH, error::out_of_range(EURI_TOO_LONG));
        let owner = constructor_ref.generate_signer();
        move_to(&owner, Metadata { name, symbol, decimals, icon_uri, project_uri });
        move_to(&owner, Supply { current: 0, maximum: maximum_supply });
        let metadata = signer::address_of(&owner);
        event::emit(Creation { metadata, name, symbol, decimals, icon_uri, project_uri, maximum_supply });
        constructor_ref.object_from_constructor_ref::<Metadata>()
    }

    /// From here on no store of this asset can be transferred as an object.
    public fun set_untransferable(constructor_ref: &ConstructorRef) {
        move_to(&constructor_ref.generate_signer(), Untransferable {})
    }

    public fun generate_mint_ref(constructor_ref: &ConstructorRef): MintRef {
        MintRef { metadata: constructor_ref.object_from_constructor_ref::<Metadata>() }
    }

    public fun generate_burn_ref(constructor_ref: &ConstructorRef): BurnRef {
        BurnRef { metadata: constructor_ref.object_from_constructor_ref::<Metadata>() }
    }

    public fun generate_transfer_ref(constructor_ref: &ConstructorRef): TransferRef {
        TransferRef { metadata: constructor_ref.object_from_constructor_ref::<Metadata>() }
    }

    // What is known of an asset and a store

    #[view]
    public fun supply<T: key>(metadata: Object<T>): Option<u128> acquires Supply {
        let at = metadata.object_address();
        if (exists<Supply>(at)) option::some(borrow_global<Supply>(at).current) else option::none()
    }

    #[view]
    public fun maximum<T: key>(metadata: Object<T>): Option<u128> acquires Supply {
        let at = metadata.object_address();
        if (exists<Supply>(at)) borrow_global<Supply>(at).maximum else option::none()
    }

    #[view]
    public fun name<T: key>(metadata: Object<T>): String acquires Metadata {
        borrow_global<Metadata>(metadata.object_address()).name
    }

    #[view]
    public fun symbol<T: key>(metadata: Object<T>): String acquires Metadata {
        borrow_global<Metadata>(metadata.object_address()).symbol
    }

    #[view]
    public fun decimals<T: key>(metadata: Object<T>): u8 acquires Metadata {
        borrow_global<Metadata>(metadata.object_address()).decimals
    }

    #[view]
    public fun metadata<T: key>(metadata: Object<T>): Metadata acquires Metadata {
        *borrow_global<Metadata>(metadata.object_address())
    }

    #[view]
    public fun is_untransferable<T: key>(metadata: Object<T>): bool {
        exists<Untransferable>(metadata.object_address())
    }

    #[view]
    public fun store_exists(store: address): bool {
        exists<FungibleStore>(store)
    }

    #[view]
    public fun store_metadata<T: key>(store: Object<T>): Object<Metadata> acquires FungibleStore {
        borrow_store(&store).metadata
    }

    #[view]
    public fun balance<T: key>(store: Object<T>): u64 acquires FungibleStore {
        let at = store.object_address();
        if (exists<FungibleStore>(at)) borrow_global<FungibleStore>(at).balance else 0
    }

    #[view]
    public fun is_balance_at_least<T: key>(store: Object<T>, amount: u64): bool acquires FungibleStore {
        balance(store) >= amount
    }

    #[view]
    public fun is_frozen<T: key>(store: Object<T>): bool acquires FungibleStore {
        let at = store.object_address();
        exists<FungibleStore>(at) && borrow_global<FungibleStore>(at).frozen
    }

    public fun amount(self: &FungibleAsset): u64 {
        self.amount
    }

    public fun metadata_from_asset(self: &FungibleAsset): Object<Metadata> {
        self.metadata
    }

    public fun asset_metadata(self: &FungibleAsset): Object<Metadata> {
        self.metadata
    }

    public fun mint_ref_metadata(self: &MintRef): Object<Metadata> {
        self.metadata
    }

    public fun transfer_ref_metadata(self: &TransferRef): Object<Metadata> {
        self.metadata
    }

    public fun burn_ref_metadata(self: &BurnRef): Object<Metadata> {
        self.metadata
    }

    // Stores

    public fun create_store<T: key>(constructor_ref: &ConstructorRef, metadata: Object<T>): Object<FungibleStore> {
        let owner = constructor_ref.generate_signer();
        move_to(&owner, FungibleStore { metadata: object::convert(metadata), balance: 0, frozen: false });
        if (is_untransferable(metadata)) constructor_ref.set_untransferable();
        constructor_ref.object_from_constructor_ref::<FungibleStore>()
    }

    public fun remove_store(delete_ref: &DeleteRef) acquires FungibleStore {
        let store = delete_ref.object_from_delete_ref::<FungibleStore>();
        let at = store.object_address();
        let owner = store.owner();
        let FungibleStore { metadata, balance, frozen: _ } = move_from<FungibleStore>(at);
        assert!(balance == 0, error::permission_denied(EBALANCE_IS_NOT_ZERO));
        event::emit(FungibleStoreDeletion { store: at, owner, metadata: metadata.object_address() });
    }

    // Moving

    public entry fun transfer<T: key>(sender: &signer, from: Object<T>, to: Object<T>, amount: u64) acquires FungibleStore {
        deposit(to, withdraw(sender, from, amount))
    }

    public fun withdraw<T: key>(owner: &signer, store: Object<T>, amount: u64): FungibleAsset acquires FungibleStore {
        assert!(object::owns(store, signer::address_of(owner)), error::permission_denied(ENOT_STORE_OWNER));
        assert!(!borrow_store(&store).frozen, error::permission_denied(ESTORE_IS_FROZEN));
        unchecked_withdraw(store.object_address(), amount)
    }

    public fun deposit<T: key>(store: Object<T>, fa: FungibleAsset) acquires FungibleStore {
        assert!(!borrow_store(&store).frozen, error::permission_denied(ESTORE_IS_FROZEN));
        unchecked_deposit(store.object_address(), fa)
    }

    public fun mint(self: &MintRef, amount: u64): FungibleAsset acquires Supply {
        increase_supply(&self.metadata, amount);
        FungibleAsset { metadata: self.metadata, amount }
    }

    public fun mint_to<T: key>(self: &MintRef, store: Object<T>, amount: u64) acquires FungibleStore, Supply {
        assert!(!borrow_store(&store).frozen, error::permission_denied(ESTORE_IS_FROZEN));
        unchecked_deposit(store.object_address(), self.mint(amount))
    }

    public fun burn(self: &BurnRef, fa: FungibleAsset) acquires Supply {
        let FungibleAsset { metadata, amount } = fa;
        assert!(self.metadata == metadata, error::invalid_argument(EBURN_REF_AND_FUNGIBLE_ASSET_MISMATCH));
        decrease_supply(&metadata, amount);
    }

    public fun burn_from<T: key>(self: &BurnRef, store: Object<T>, amount: u64) acquires FungibleStore, Supply {
        assert!(self.metadata == store_metadata(store), error::invalid_argument(EBURN_REF_AND_STORE_MISMATCH));
        self.burn(unchecked_withdraw(store.object_address(), amount))
    }

    public fun set_frozen_flag<T: key>(self: &TransferRef, store: Object<T>, frozen: bool) acquires FungibleStore {
        assert!(self.metadata == store_metadata(store), error::invalid_argument(ETRANSFER_REF_AND_STORE_MISMATCH));
        let at = store.object_address();
        borrow_global_mut<FungibleStore>(at).frozen = frozen;
        event::emit(Frozen { store: at, frozen });
    }

    /// Also from a frozen store: the reference is the right.
    public fun withdraw_with_ref<T: key>(self: &TransferRef, store: Object<T>, amount: u64): FungibleAsset acquires FungibleStore {
        assert!(self.metadata == store_metadata(store), error::invalid_argument(ETRANSFER_REF_AND_STORE_MISMATCH));
        unchecked_withdraw(store.object_address(), amount)
    }

    public fun deposit_with_ref<T: key>(self: &TransferRef, store: Object<T>, fa: FungibleAsset) acquires FungibleStore {
        assert!(self.metadata == fa.metadata, error::invalid_argument(ETRANSFER_REF_AND_FUNGIBLE_ASSET_MISMATCH));
        unchecked_deposit(store.object_address(), fa)
    }

    public fun transfer_with_ref<T: key>(self: &TransferRef, from: Object<T>, to: Object<T>, amount: u64) acquires FungibleStore {
        self.deposit_with_ref(to, self.withdraw_with_ref(from, amount))
    }

    // Amounts

    public fun zero<T: key>(metadata: Object<T>): FungibleAsset {
        FungibleAsset { metadata: object::convert(metadata), amount: 0 }
    }

    public fun extract(self: &mut FungibleAsset, amount: u64): FungibleAsset {
        assert!(self.amount >= amount, error::invalid_argument(EINSUFFICIENT_BALANCE));
        self.amount -= amount;
        FungibleAsset { metadata: self.metadata, amount }
    }

    public fun merge(self: &mut FungibleAsset, src_fungible_asset: FungibleAsset) {
        let FungibleAsset { metadata, amount } = src_fungible_asset;
        assert!(metadata == self.metadata, error::invalid_argument(EFUNGIBLE_ASSET_MISMATCH));
        self.amount += amount;
    }

    public fun destroy_zero(self: FungibleAsset) {
        let FungibleAsset { metadata: _, amount } = self;
        assert!(amount == 0, error::invalid_argument(EAMOUNT_IS_NOT_ZERO));
    }

    fun unchecked_deposit(at: address, fa: FungibleAsset) acquires FungibleStore {
        let FungibleAsset { metadata, amount } = fa;
        assert!(exists<FungibleStore>(at), error::not_found(EFUNGIBLE_STORE_EXISTENCE));
        let store = borrow_global_mut<FungibleStore>(at);
        assert!(metadata == store.metadata, error::invalid_argument(EFUNGIBLE_ASSET_AND_STORE_MISMATCH));
        if (amount == 0) return;
        store.balance += amount;
        event::emit(Deposit { store: at, amount });
    }

    fun unchecked_withdraw(at: address, amount: u64): FungibleAsset acquires FungibleStore {
        assert!(exists<FungibleStore>(at), error::not_found(EFUNGIBLE_STORE_EXISTENCE));
        let store = borrow_global_mut<FungibleStore>(at);
        assert!(store.balance >= amount, error::invalid_argument(EINSUFFICIENT_BALANCE));
        let metadata = store.metadata;
        if (amount > 0) {
            store.balance -= amount;
            event::emit(Withdraw { store: at, amount });
        };
        FungibleAsset { metadata, amount }
    }

    fun increase_supply<T: key>(metadata: &Object<T>, amount: u64) acquires Supply {
        let at = metadata.object_address();
        assert!(exists<Supply>(at), error::not_found(ESUPPLY_NOT_FOUND));
        let supply = borrow_global_mut<Supply>(at);
        let most = supply.maximum.get_with_default(MAX_U128);
        assert!(most - supply.current >= (amount as u128), error::out_of_range(EMAX_SUPPLY_EXCEEDED));
        supply.current += (amount as u128);
    }

    fun decrease_supply<T: key>(metadata: &Object<T>, amount: u64) acquires Supply {
        let at = metadata.object_address();
        assert!(exists<Supply>(at), error::not_found(ESUPPLY_NOT_FOUND));
        let supply = borrow_global_mut<Supply>(at);
        assert!(supply.current >= (amount as u128), error::invalid_state(ESUPPLY_UNDERFLOW));
        supply.current -= (amount as u128);
    }

    inline fun borrow_store<T: key>(store: &Object<T>): &FungibleStore acquires FungibleStore {
        let at = store.object_address();
        assert!(exists<FungibleStore>(at), error::not_found(EFUNGIBLE_STORE_EXISTENCE));
        borrow_global<FungibleStore>(at)
    }

    #[test_only]
    use std::string;

    #[test_only]
    fun new_asset(creator: &signer, seed: vector<u8>, most: u128): (MintRef, TransferRef, BurnRef, Object<Metadata>) {
        let made = object::create_named_object(creator, seed);
        let metadata = add_fungibility(
            &made, option::some(most), string::utf8(seed), string::utf8(b"T"), 8, string::utf8(b""), string::utf8(b"")
        );
        (generate_mint_ref(&made), generate_transfer_ref(&made), generate_burn_ref(&made), metadata)
    }

    #[test_only]
    fun new_store(owner: &signer, metadata: Object<Metadata>): Object<FungibleStore> {
        create_store(&object::create_object(signer::address_of(owner)), metadata)
    }

    #[test(alice = @0xa11ce, bob = @0xb0b)]
    fun the_supply_is_what_the_stores_hold(alice: &signer, bob: &signer) acquires FungibleStore, Supply {
        let (minting, moving, burning, metadata) = new_asset(alice, b"TEST", 1000);
        let (a, b) = (new_store(alice, metadata), new_store(bob, metadata));
        minting.mint_to(a, 600);
        transfer(alice, a, b, 250);
        moving.transfer_with_ref(b, a, 50);
        burning.burn_from(a, 100);
        assert!(balance(a) == 300 && balance(b) == 200 && supply(metadata) == option::some(500), 0);
        let part = withdraw(bob, b, 200);
        let half = part.extract(100);
        half.merge(part);
        burning.burn(half);
        zero(metadata).destroy_zero();
        assert!(supply(metadata) == option::some(300) && !is_balance_at_least(b, 1), 1);
    }

    #[test(alice = @0xa11ce), expected_failure(abort_code = 0x20005, location = Self)]
    fun no_more_than_the_maximum_is_minted(alice: &signer) acquires FungibleStore, Supply {
        let (minting, _, _, metadata) = new_asset(alice, b"TEST", 1000);
        minting.mint_to(new_store(alice, metadata), 1001);
    }

    #[test(alice = @0xa11ce, eve = @0xe), expected_failure(abort_code = 0x50008, location = Self)]
    fun only_the_owner_withdraws(alice: &signer, eve: &signer) acquires FungibleStore, Supply {
        let (minting, _, burning, metadata) = new_asset(alice, b"TEST", 1000);
        let store = new_store(alice, metadata);
        minting.mint_to(store, 10);
        burning.burn(withdraw(eve, store, 10));
    }

    #[test(alice = @0xa11ce), expected_failure(abort_code = 0x10004, location = Self)]
    fun no_more_than_the_balance_is_withdrawn(alice: &signer) acquires FungibleStore, Supply {
        let (minting, _, _, metadata) = new_asset(alice, b"TEST", 1000);
        let (a, b) = (new_store(alice, metadata), new_store(alice, metadata));
        minting.mint_to(a, 10);
        transfer(alice, a, b, 11);
    }

    #[test(alice = @0xa11ce), expected_failure(abort_code = 0x50003, location = Self)]
    fun a_frozen_store_takes_nothing(alice: &signer) acquires FungibleStore, Supply {
        let (minting, moving, _, metadata) = new_asset(alice, b"TEST", 1000);
        let store = new_store(alice, metadata);
        moving.set_frozen_flag(store, true);
        minting.mint_to(store, 1);
    }

    #[test(alice = @0xa11ce), expected_failure(abort_code = 0x1000B, location = Self)]
    fun assets_do_not_mix(alice: &signer) acquires FungibleStore, Supply {
        let (minting, _, _, _) = new_asset(alice, b"ONE", 1000);
        let (_, _, _, other) = new_asset(alice, b"TWO", 1000);
        deposit(new_store(alice, other), minting.mint(1));
    }
}
