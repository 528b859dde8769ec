/// SYM that belongs to one module and to nobody else. It lies in the store of an object that no key owns; the only way to
/// move it is the `ExtendRef` in here. `held` is the account of record: what strangers send to the store isn't counted.
module scs::purse {
    use aptos_framework::fungible_asset::{Self, FungibleAsset};
    use aptos_framework::object::{Self, ExtendRef, ObjectCore};
    use aptos_framework::primary_fungible_store;
    use scs::sym;

    /// Owner of an object may move what lies in the stores beneath it. No key is known to lead to this address.
    const NOBODY: address = @0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff;

    struct Purse has store {
        home: ExtendRef,
        held: u64
    }

    public(package) fun create(publisher: &signer, seed: vector<u8>): Purse {
        let object = object::create_named_object(publisher, seed);
        let home = object::generate_extend_ref(&object);
        object::transfer(publisher, object::object_from_constructor_ref<ObjectCore>(&object), NOBODY);
        Purse { home, held: 0 }
    }

    public(package) fun put(self: &mut Purse, coins: FungibleAsset) {
        self.held = self.held + fungible_asset::amount(&coins);
        primary_fungible_store::deposit(object::address_from_extend_ref(&self.home), coins);
    }

    /// Aborts by underflow when there is less: each caller has checked by the name of its own rule.
    public(package) fun take(self: &mut Purse, amount: u64): FungibleAsset {
        self.held = self.held - amount;
        primary_fungible_store::withdraw(
            &object::generate_signer_for_extending(&self.home), sym::metadata(), amount
        )
    }

    public(package) fun held(self: &Purse): u64 {
        self.held
    }

    /// What lies in the store: never less than `held`.
    public(package) fun balance(self: &Purse): u64 {
        sym::balance(object::address_from_extend_ref(&self.home))
    }
}
