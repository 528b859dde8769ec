/// Values from their BCS bytes. Public only for types that grant nothing by existing.
module aptos_std::from_bcs {
    use std::string::String;

    friend aptos_std::copyable_any;
    friend aptos_framework::code;

    public fun to_bool(v: vector<u8>): bool { from_bytes<bool>(v) }
    public fun to_u8(v: vector<u8>): u8 { from_bytes<u8>(v) }
    public fun to_u16(v: vector<u8>): u16 { from_bytes<u16>(v) }
    public fun to_u32(v: vector<u8>): u32 { from_bytes<u32>(v) }
    public fun to_u64(v: vector<u8>): u64 { from_bytes<u64>(v) }
    public fun to_u128(v: vector<u8>): u128 { from_bytes<u128>(v) }
    public fun to_u256(v: vector<u8>): u256 { from_bytes<u256>(v) }
    public fun to_address(v: vector<u8>): address { from_bytes<address>(v) }
    public fun to_bytes(v: vector<u8>): vector<u8> { from_bytes<vector<u8>>(v) }
    public fun to_string(v: vector<u8>): String { from_bytes<String>(v) }

    /// Aborts if the bytes are not one value of the type, whole.
    native public(friend) fun from_bytes<T>(bytes: vector<u8>): T;

    #[test]
    fun integers_are_little_endian() {
        assert!(to_u64(x"0102000000000000") == 513, 0);
        assert!(to_address(x"0000000000000000000000000000000000000000000000000000000000000001") == @0x1, 1);
        assert!(to_bytes(x"02aabb") == x"aabb", 2);
    }

    #[test, expected_failure]
    fun trailing_bytes_abort() {
        to_u8(x"0102");
    }
}
