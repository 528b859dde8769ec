/// Publishing packages, with the entry function that the Aptos SDK calls. It stands in this package, not in AptosFramework, because
/// only here may it decode metadata by the native of `from_bcs` without opening that native to every contract.
module aptos_framework::code {
    use std::error;
    use std::signer;
    use std::string::String;
    use std::option::Option;
    use std::vector;
    use aptos_std::copyable_any::Any;
    use aptos_std::from_bcs;

    /// A package of that name is there and its policy forbids any change.
    const EUPGRADE_IMMUTABLE: u64 = 2;
    /// An upgrade may not be more permissive than what it replaces.
    const EUPGRADE_WEAKER_POLICY: u64 = 3;
    /// An upgrade of a compatible package keeps all its modules.
    const EMODULE_MISSING: u64 = 4;
    /// Code and metadata list different numbers of modules, or none.
    const EMODULE_COUNT: u64 = 7;
    /// Another package of the publisher owns a module of that name.
    const EMODULE_NAME_CLASH: u64 = 1;
    /// The VM knows no policy weaker than compatible.
    const EINVALID_POLICY: u64 = 8;

    const COMPATIBLE: u8 = 1;
    const IMMUTABLE: u8 = 2;

    struct PackageRegistry has key, store, drop {
        packages: vector<PackageMetadata>
    }

    struct PackageMetadata has copy, store, drop {
        name: String,
        upgrade_policy: UpgradePolicy,
        upgrade_number: u64,
        source_digest: String,
        manifest: vector<u8>,
        modules: vector<ModuleMetadata>,
        deps: vector<PackageDep>,
        extension: Option<Any>
    }

    struct PackageDep has store, drop, copy {
        account: address,
        package_name: String
    }

    struct ModuleMetadata has copy, store, drop {
        name: String,
        source: vector<u8>,
        source_map: vector<u8>,
        extension: Option<Any>
    }

    struct UpgradePolicy has store, copy, drop {
        policy: u8
    }

    public fun upgrade_policy_compat(): UpgradePolicy {
        UpgradePolicy { policy: COMPATIBLE }
    }

    public fun upgrade_policy_immutable(): UpgradePolicy {
        UpgradePolicy { policy: IMMUTABLE }
    }

    /// Publishes the modules under the signer's account and notes the package in its registry. New modules run `init_module`.
    public entry fun publish_package_txn(owner: &signer, metadata_serialized: vector<u8>, code: vector<vector<u8>>) acquires PackageRegistry {
        let pack = from_bcs::from_bytes<PackageMetadata>(metadata_serialized);
        let policy = pack.upgrade_policy.policy;
        assert!(policy == COMPATIBLE || policy == IMMUTABLE, error::invalid_argument(EINVALID_POLICY));
        assert!(!code.is_empty() && vector::length(&code) == pack.modules.length(), error::invalid_argument(EMODULE_COUNT));
        let owner_address = signer::address_of(owner);
        if (!exists<PackageRegistry>(owner_address)) move_to(owner, PackageRegistry { packages: vector[] });
        note(&mut borrow_global_mut<PackageRegistry>(owner_address).packages, pack);
        request_publish(owner_address, code, policy)
    }

    fun note(packages: &mut vector<PackageMetadata>, pack: PackageMetadata) {
        let index = packages.length();
        let i = 0;
        while (i < packages.length()) {
            let old = packages.borrow(i);
            if (old.name == pack.name) {
                check_upgradability(old, &pack);
                index = i;
            } else check_coexistence(old, &pack);
            i += 1;
        };
        if (index < packages.length()) {
            pack.upgrade_number = packages.borrow(index).upgrade_number + 1;
            packages.replace(index, pack);
        } else {
            pack.upgrade_number = 0;
            packages.push_back(pack);
        }
    }

    fun check_upgradability(old: &PackageMetadata, new: &PackageMetadata) {
        assert!(old.upgrade_policy.policy < IMMUTABLE, error::invalid_argument(EUPGRADE_IMMUTABLE));
        assert!(new.upgrade_policy.policy >= old.upgrade_policy.policy, error::invalid_argument(EUPGRADE_WEAKER_POLICY));
        old.modules.for_each_ref(|m| assert!(has_module(new, &m.name), error::invalid_argument(EMODULE_MISSING)));
    }

    fun check_coexistence(old: &PackageMetadata, new: &PackageMetadata) {
        old.modules.for_each_ref(|m| assert!(!has_module(new, &m.name), error::already_exists(EMODULE_NAME_CLASH)));
    }

    fun has_module(pack: &PackageMetadata, name: &String): bool {
        pack.modules.any(|m| &m.name == name)
    }

    /// The VM calls this once, at genesis.
    fun init_genesis(_chain: &signer, _module_ids: vector<String>, _allowed_publishers: vector<address>) {}

    /// The VM calls this for each publish request. The metadata was checked when it was requested.
    fun verify_publish_request(
        _publisher: &signer,
        _module_ids: vector<String>,
        _dependency_addresses: vector<vector<address>>,
        _dependency_ids: vector<vector<String>>,
        _upgrade_policy: u8
    ) {}

    native fun request_publish(owner: address, code: vector<vector<u8>>, upgrade_policy: u8);
}
