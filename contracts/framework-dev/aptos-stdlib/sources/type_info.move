/// The name of a type at run time.
module aptos_std::type_info {
    use std::string::String;

    struct TypeInfo has copy, drop, store {
        account_address: address,
        module_name: vector<u8>,
        struct_name: vector<u8>
    }

    public fun account_address(self: &TypeInfo): address {
        self.account_address
    }

    public fun module_name(self: &TypeInfo): vector<u8> {
        self.module_name
    }

    public fun struct_name(self: &TypeInfo): vector<u8> {
        self.struct_name
    }

    native public fun type_of<T>(): TypeInfo;
    native public fun type_name<T>(): String;

    #[test]
    fun a_struct_knows_its_name() {
        let t = type_of<TypeInfo>();
        assert!(t.account_address() == @aptos_std && t.module_name() == b"type_info" && t.struct_name() == b"TypeInfo", 0);
    }
}
