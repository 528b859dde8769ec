/// SYM, the protocol's fungible asset (rules K7, K8): 8 decimals. The one right to mint goes from genesis to `inflation`, which
/// keeps to its schedule; there is no right to freeze, to burn or to move others' SYM.
module scs::sym {
    use std::option;
    use std::string;
    use aptos_framework::fungible_asset::{Self, Metadata, MintRef};
    use aptos_framework::object::{Self, Object};
    use aptos_framework::primary_fungible_store;

    const SEED: vector<u8> = b"SYM";
    const DECIMALS: u8 = 8;

    /// The right to mint: for genesis, then for `inflation` alone.
    public(package) fun create(publisher: &signer): MintRef {
        let asset = object::create_named_object(publisher, SEED);
        primary_fungible_store::create_primary_store_enabled_fungible_asset(
            &asset,
            option::none(),
            string::utf8(b"Symphony"),
            string::utf8(SEED),
            DECIMALS,
            string::utf8(b""),
            string::utf8(b"")
        );
        fungible_asset::generate_mint_ref(&asset)
    }

    #[view]
    public fun metadata_address(): address {
        object::create_object_address(&@scs, SEED)
    }

    #[view]
    public fun metadata(): Object<Metadata> {
        object::address_to_object<Metadata>(metadata_address())
    }

    #[view]
    /// All SYM there is, in base units.
    public fun total_supply(): u128 {
        option::destroy_some(fungible_asset::supply(metadata()))
    }

    #[view]
    /// What an account holds outside the contracts.
    public fun balance(owner: address): u64 {
        primary_fungible_store::balance(owner, metadata())
    }
}
