/// Objects: an address with an owner, resources, and references that say who may do what with it. A reference can only be made
/// while the object is being created.
module aptos_framework::object {
    use std::bcs;
    use std::error;
    use std::hash;
    use std::signer;
    use std::vector;
    use aptos_std::from_bcs;
    use aptos_framework::account;
    use aptos_framework::event;
    use aptos_framework::transaction_context;

    friend aptos_framework::primary_fungible_store;

    /// There is an object at that address.
    const EOBJECT_EXISTS: u64 = 1;
    /// There is no object at that address.
    const EOBJECT_DOES_NOT_EXIST: u64 = 2;
    /// The object can't be transferred without a reference.
    const ENO_UNGATED_TRANSFERS: u64 = 3;
    /// The signer doesn't own the object, nor an object above it.
    const ENOT_OBJECT_OWNER: u64 = 4;
    /// The object was made to stay.
    const ECANNOT_DELETE: u64 = 5;
    /// Objects are nested too deep.
    const EMAXIMUM_NESTING: u64 = 6;
    /// The object holds no resource of that type.
    const ERESOURCE_DOES_NOT_EXIST: u64 = 7;
    /// The object can't be transferred at all.
    const EOBJECT_NOT_TRANSFERRABLE: u64 = 9;

    const INIT_GUID_CREATION_NUM: u64 = 0x4000000000000;
    const MAXIMUM_OBJECT_NESTING: u8 = 8;

    /// Domain separators, the last byte of the preimage of an address.
    const OBJECT_DERIVED_SCHEME: u8 = 0xFC;
    const OBJECT_FROM_SEED_ADDRESS_SCHEME: u8 = 0xFE;

    struct ObjectCore has key {
        guid_creation_num: u64,
        owner: address,
        allow_ungated_transfer: bool
    }

    /// Present on objects that nobody may transfer, not even with a reference.
    struct Untransferable has key {}

    /// Named by `#[resource_group_member]`, which this compiler warns of and ignores: here each resource is an entry of its own.
    struct ObjectGroup {}

    struct Object<phantom T> has copy, drop, store {
        inner: address
    }

    /// Made with the object, gone with the creating transaction.
    struct ConstructorRef has drop {
        self: address,
        can_delete: bool
    }

    struct DeleteRef has drop, store {
        self: address
    }

    struct ExtendRef has drop, store {
        self: address
    }

    struct TransferRef has drop, store {
        self: address
    }

    struct LinearTransferRef has drop {
        self: address,
        owner: address
    }

    struct DeriveRef has drop, store {
        self: address
    }

    #[event]
    struct Transfer has drop, store {
        object: address,
        from: address,
        to: address
    }

    // Addresses

    public fun create_object_address(source: &address, seed: vector<u8>): address {
        let bytes = bcs::to_bytes(source);
        vector::append(&mut bytes, seed);
        bytes.push_back(OBJECT_FROM_SEED_ADDRESS_SCHEME);
        from_bcs::to_address(hash::sha3_256(bytes))
    }

    public fun create_user_derived_object_address(source: address, derive_from: address): address {
        let bytes = bcs::to_bytes(&source);
        bytes.append(bcs::to_bytes(&derive_from));
        bytes.push_back(OBJECT_DERIVED_SCHEME);
        from_bcs::to_address(hash::sha3_256(bytes))
    }

    // Creation

    public fun create_named_object(creator: &signer, seed: vector<u8>): ConstructorRef {
        let owner = signer::address_of(creator);
        create_object_internal(owner, create_object_address(&owner, seed), false)
    }

    public fun create_object(owner_address: address): ConstructorRef {
        create_object_internal(owner_address, transaction_context::generate_auid_address(), true)
    }

    /// An object that can't be deleted.
    public fun create_sticky_object(owner_address: address): ConstructorRef {
        create_object_internal(owner_address, transaction_context::generate_auid_address(), false)
    }

    public(friend) fun create_user_derived_object(creator_address: address, derive_ref: &DeriveRef): ConstructorRef {
        let object = create_user_derived_object_address(creator_address, derive_ref.self);
        create_object_internal(creator_address, object, false)
    }

    fun create_object_internal(owner: address, object: address, can_delete: bool): ConstructorRef {
        assert!(!exists<ObjectCore>(object), error::already_exists(EOBJECT_EXISTS));
        let core = ObjectCore { guid_creation_num: INIT_GUID_CREATION_NUM, owner, allow_ungated_transfer: true };
        move_to(&account::create_signer(object), core);
        ConstructorRef { self: object, can_delete }
    }

    // References, and what they allow

    public fun generate_delete_ref(self: &ConstructorRef): DeleteRef {
        assert!(self.can_delete, error::permission_denied(ECANNOT_DELETE));
        DeleteRef { self: self.self }
    }

    public fun generate_extend_ref(self: &ConstructorRef): ExtendRef {
        ExtendRef { self: self.self }
    }

    public fun generate_transfer_ref(self: &ConstructorRef): TransferRef {
        assert!(!exists<Untransferable>(self.self), error::permission_denied(EOBJECT_NOT_TRANSFERRABLE));
        TransferRef { self: self.self }
    }

    public fun generate_derive_ref(self: &ConstructorRef): DeriveRef {
        DeriveRef { self: self.self }
    }

    public fun generate_signer(self: &ConstructorRef): signer {
        account::create_signer(self.self)
    }

    public fun address_from_constructor_ref(self: &ConstructorRef): address {
        self.self
    }

    public fun object_from_constructor_ref<T: key>(self: &ConstructorRef): Object<T> {
        address_to_object<T>(self.self)
    }

    public fun can_generate_delete_ref(self: &ConstructorRef): bool {
        self.can_delete
    }

    public fun set_untransferable(self: &ConstructorRef) acquires ObjectCore {
        borrow_global_mut<ObjectCore>(self.self).allow_ungated_transfer = false;
        move_to(&account::create_signer(self.self), Untransferable {});
    }

    public fun address_from_delete_ref(self: &DeleteRef): address {
        self.self
    }

    public fun object_from_delete_ref<T: key>(self: &DeleteRef): Object<T> {
        address_to_object<T>(self.self)
    }

    /// The object is gone; resources left at its address can't be reached through it any more.
    public fun delete(self: DeleteRef) acquires ObjectCore {
        let ObjectCore { guid_creation_num: _, owner: _, allow_ungated_transfer: _ } = move_from<ObjectCore>(self.self);
    }

    public fun generate_signer_for_extending(self: &ExtendRef): signer {
        account::create_signer(self.self)
    }

    public fun address_from_extend_ref(self: &ExtendRef): address {
        self.self
    }

    public fun disable_ungated_transfer(self: &TransferRef) acquires ObjectCore {
        borrow_global_mut<ObjectCore>(self.self).allow_ungated_transfer = false;
    }

    public fun enable_ungated_transfer(self: &TransferRef) acquires ObjectCore {
        assert!(!exists<Untransferable>(self.self), error::permission_denied(EOBJECT_NOT_TRANSFERRABLE));
        borrow_global_mut<ObjectCore>(self.self).allow_ungated_transfer = true;
    }

    /// Good for one transfer from the present owner.
    public fun generate_linear_transfer_ref(self: &TransferRef): LinearTransferRef acquires ObjectCore {
        assert!(!exists<Untransferable>(self.self), error::permission_denied(EOBJECT_NOT_TRANSFERRABLE));
        LinearTransferRef { self: self.self, owner: borrow_global<ObjectCore>(self.self).owner }
    }

    public fun transfer_with_ref(self: LinearTransferRef, to: address) acquires ObjectCore {
        assert!(!exists<Untransferable>(self.self), error::permission_denied(EOBJECT_NOT_TRANSFERRABLE));
        assert!(borrow_global<ObjectCore>(self.self).owner == self.owner, error::permission_denied(ENOT_OBJECT_OWNER));
        set_owner(self.self, to)
    }

    // Objects

    public fun address_to_object<T: key>(object: address): Object<T> {
        assert!(exists<ObjectCore>(object), error::not_found(EOBJECT_DOES_NOT_EXIST));
        assert!(exists_at<T>(object), error::not_found(ERESOURCE_DOES_NOT_EXIST));
        Object { inner: object }
    }

    public fun is_object(object: address): bool {
        exists<ObjectCore>(object)
    }

    public fun object_exists<T: key>(object: address): bool {
        exists<ObjectCore>(object) && exists_at<T>(object)
    }

    public fun object_address<T: key>(self: &Object<T>): address {
        self.inner
    }

    public fun convert<X: key, Y: key>(self: Object<X>): Object<Y> {
        address_to_object<Y>(self.inner)
    }

    // Ownership

    #[view]
    public fun owner<T: key>(self: Object<T>): address acquires ObjectCore {
        assert!(exists<ObjectCore>(self.inner), error::not_found(EOBJECT_DOES_NOT_EXIST));
        borrow_global<ObjectCore>(self.inner).owner
    }

    #[view]
    public fun is_owner<T: key>(object: Object<T>, owner: address): bool acquires ObjectCore {
        owner(object) == owner
    }

    #[view]
    /// Directly, or through objects that own objects.
    public fun owns<T: key>(object: Object<T>, owner: address): bool acquires ObjectCore {
        let at = object.inner;
        if (at == owner) return true;
        assert!(exists<ObjectCore>(at), error::not_found(EOBJECT_DOES_NOT_EXIST));
        let depth = 0;
        while (exists<ObjectCore>(at)) {
            assert!(depth < MAXIMUM_OBJECT_NESTING, error::out_of_range(EMAXIMUM_NESTING));
            at = borrow_global<ObjectCore>(at).owner;
            if (at == owner) return true;
            depth += 1;
        };
        false
    }

    #[view]
    public fun is_untransferable<T: key>(self: Object<T>): bool {
        exists<Untransferable>(self.inner)
    }

    #[view]
    public fun ungated_transfer_allowed<T: key>(self: Object<T>): bool acquires ObjectCore {
        assert!(exists<ObjectCore>(self.inner), error::not_found(EOBJECT_DOES_NOT_EXIST));
        borrow_global<ObjectCore>(self.inner).allow_ungated_transfer
    }

    public entry fun transfer<T: key>(owner: &signer, object: Object<T>, to: address) acquires ObjectCore {
        transfer_raw(owner, object.inner, to)
    }

    public fun transfer_raw(owner: &signer, object: address, to: address) acquires ObjectCore {
        verify_ungated_and_descendant(signer::address_of(owner), object);
        set_owner(object, to)
    }

    public entry fun transfer_to_object<O: key, T: key>(owner: &signer, object: Object<O>, to: Object<T>) acquires ObjectCore {
        transfer_raw(owner, object.inner, to.inner)
    }

    /// Every object from this one up to the owner must allow transfers.
    fun verify_ungated_and_descendant(owner: address, object: address) acquires ObjectCore {
        let at = object;
        let depth = 0;
        loop {
            assert!(
                exists<ObjectCore>(at),
                if (depth == 0) error::not_found(EOBJECT_DOES_NOT_EXIST) else error::permission_denied(ENOT_OBJECT_OWNER)
            );
            assert!(depth < MAXIMUM_OBJECT_NESTING, error::out_of_range(EMAXIMUM_NESTING));
            let core = borrow_global<ObjectCore>(at);
            assert!(core.allow_ungated_transfer, error::permission_denied(ENO_UNGATED_TRANSFERS));
            if (core.owner == owner) return;
            at = core.owner;
            depth += 1;
        }
    }

    fun set_owner(object: address, to: address) acquires ObjectCore {
        let core = borrow_global_mut<ObjectCore>(object);
        if (core.owner == to) return;
        let from = core.owner;
        core.owner = to;
        event::emit(Transfer { object, from, to });
    }

    native fun exists_at<T: key>(object: address): bool;

    #[test_only]
    struct Thing has key {}

    #[test_only]
    fun new_thing(creator: &signer, seed: vector<u8>): (ConstructorRef, Object<Thing>) {
        let made = create_named_object(creator, seed);
        move_to(&made.generate_signer(), Thing {});
        let thing = made.object_from_constructor_ref::<Thing>();
        (made, thing)
    }

    #[test(alice = @0xa11ce)]
    fun an_object_moves_with_its_owner(alice: &signer) acquires ObjectCore {
        let (made, box) = new_thing(alice, b"box");
        let (_, coin) = new_thing(alice, b"coin");
        assert!(made.address_from_constructor_ref() == create_object_address(&@0xa11ce, b"box"), 0);
        transfer_to_object(alice, coin, box);
        transfer(alice, box, @0xb0b);
        assert!(is_owner(box, @0xb0b) && owns(coin, @0xb0b) && !owns(coin, @0xa11ce), 1);
        assert!(object_exists<Thing>(box.object_address()) && !is_object(@0xb0b), 2);
    }

    #[test(alice = @0xa11ce), expected_failure(abort_code = 0x80001, location = Self)]
    fun a_seed_makes_one_object(alice: &signer) {
        new_thing(alice, b"box");
        new_thing(alice, b"box");
    }

    #[test(alice = @0xa11ce, eve = @0xe), expected_failure(abort_code = 0x50004, location = Self)]
    fun only_the_owner_transfers(alice: &signer, eve: &signer) acquires ObjectCore {
        let (_, thing) = new_thing(alice, b"box");
        transfer(eve, thing, @0xe);
    }

    #[test(alice = @0xa11ce), expected_failure(abort_code = 0x50003, location = Self)]
    fun a_gated_object_stays(alice: &signer) acquires ObjectCore {
        let (made, thing) = new_thing(alice, b"box");
        made.generate_transfer_ref().disable_ungated_transfer();
        transfer(alice, thing, @0xb0b);
    }

    #[test(alice = @0xa11ce)]
    fun references_do_what_they_say(alice: &signer) acquires ObjectCore {
        let made = create_object(signer::address_of(alice));
        let extend = made.generate_extend_ref();
        move_to(&extend.generate_signer_for_extending(), Thing {});
        let moving = made.generate_transfer_ref();
        moving.disable_ungated_transfer();
        transfer_with_ref(moving.generate_linear_transfer_ref(), @0xb0b);
        assert!(owner(address_to_object<Thing>(extend.address_from_extend_ref())) == @0xb0b, 0);
        made.generate_delete_ref().delete();
        assert!(!is_object(extend.address_from_extend_ref()), 1);
    }
}
