/// A value of any type as its name and bytes.
module aptos_std::copyable_any {
    use std::bcs;
    use std::error;
    use std::string::String;
    use aptos_std::from_bcs;
    use aptos_std::type_info;

    /// The value is of another type than the one asked for.
    const ETYPE_MISMATCH: u64 = 0;

    struct Any has copy, drop, store {
        type_name: String,
        data: vector<u8>
    }

    public fun pack<T: drop + store + copy>(x: T): Any {
        Any { type_name: type_info::type_name<T>(), data: bcs::to_bytes(&x) }
    }

    public fun unpack<T>(self: Any): T {
        assert!(type_info::type_name<T>() == self.type_name, error::invalid_argument(ETYPE_MISMATCH));
        from_bcs::from_bytes<T>(self.data)
    }

    public fun type_name(self: &Any): &String {
        &self.type_name
    }

    #[test]
    fun what_is_packed_unpacks() {
        assert!(unpack<u64>(pack(7u64)) == 7, 0);
    }
}
