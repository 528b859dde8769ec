/// UTF-8 strings.
module std::string {
    use std::option::{Self, Option};

    /// The bytes are not UTF-8.
    const EINVALID_UTF8: u64 = 1;
    /// The index is past the end, or inside a character.
    const EINVALID_INDEX: u64 = 2;

    struct String has copy, drop, store {
        bytes: vector<u8>
    }

    public fun utf8(bytes: vector<u8>): String {
        assert!(internal_check_utf8(&bytes), EINVALID_UTF8);
        String { bytes }
    }

    public fun try_utf8(bytes: vector<u8>): Option<String> {
        if (internal_check_utf8(&bytes)) option::some(String { bytes }) else option::none()
    }

    public fun bytes(self: &String): &vector<u8> {
        &self.bytes
    }

    public fun into_bytes(self: String): vector<u8> {
        let String { bytes } = self;
        bytes
    }

    public fun is_empty(self: &String): bool {
        self.bytes.is_empty()
    }

    /// In bytes, not characters.
    public fun length(self: &String): u64 {
        self.bytes.length()
    }

    public fun append(self: &mut String, r: String) {
        self.bytes.append(r.into_bytes())
    }

    public fun append_utf8(self: &mut String, bytes: vector<u8>) {
        self.append(utf8(bytes))
    }

    public fun insert(self: &mut String, at: u64, o: String) {
        let len = self.length();
        assert!(at <= len && internal_is_char_boundary(&self.bytes, at), EINVALID_INDEX);
        let front = self.sub_string(0, at);
        let back = self.sub_string(at, len);
        front.append(o);
        front.append(back);
        *self = front;
    }

    /// Bytes `[i, j)`; both must lie between characters.
    public fun sub_string(self: &String, i: u64, j: u64): String {
        let v = &self.bytes;
        assert!(
            i <= j && j <= v.length() && internal_is_char_boundary(v, i) && internal_is_char_boundary(v, j),
            EINVALID_INDEX
        );
        String { bytes: internal_sub_string(v, i, j) }
    }

    /// Where `r` first occurs, or the length if it doesn't.
    public fun index_of(self: &String, r: &String): u64 {
        internal_index_of(&self.bytes, &r.bytes)
    }

    native public fun internal_check_utf8(v: &vector<u8>): bool;
    native fun internal_is_char_boundary(v: &vector<u8>, i: u64): bool;
    native fun internal_sub_string(v: &vector<u8>, i: u64, j: u64): vector<u8>;
    native fun internal_index_of(v: &vector<u8>, r: &vector<u8>): u64;

    #[test]
    fun strings_are_cut_and_joined_between_characters() {
        let s = utf8(b"escrow");
        s.insert(0, utf8(b"an "));
        assert!(s == utf8(b"an escrow") && s.length() == 9, 0);
        assert!(s.index_of(&utf8(b"escrow")) == 3 && s.sub_string(3, 9) == utf8(b"escrow"), 1);
        assert!(try_utf8(x"ff").is_none(), 2);
    }

    #[test, expected_failure(abort_code = EINVALID_UTF8)]
    fun bytes_that_are_not_utf8_abort() {
        utf8(x"c328");
    }
}
