/// Reads BCS that came from outside (rule E3): each length is checked before it is used, nothing may follow the value.
module scs::reader {
    use std::vector;

    /// The bytes end before the value does, or go on after it.
    const E_MALFORMED: u64 = 1;
    /// TooMany: a list is longer than its bound.
    const E_TOO_MANY: u64 = 2;

    struct Reader has drop {
        bytes: vector<u8>,
        at: u64
    }

    public(package) fun of(bytes: vector<u8>): Reader {
        Reader { bytes, at: 0 }
    }

    public(package) fun read_bytes(self: &mut Reader, count: u64): vector<u8> {
        let end = self.at + count;
        assert!(end <= vector::length(&self.bytes), E_MALFORMED);
        let taken = vector::slice(&self.bytes, self.at, end);
        self.at = end;
        taken
    }

    public(package) fun read_u64(self: &mut Reader): u64 {
        assert!(self.at + 8 <= vector::length(&self.bytes), E_MALFORMED);
        let value = 0u64;
        let i = 8u64;
        while (i > 0) {
            i = i - 1;
            value = (value << 8) | (*vector::borrow(&self.bytes, self.at + i) as u64);
        };
        self.at = self.at + 8;
        value
    }

    /// Length of a list, at most `limit`. Only the shortest spelling is accepted, so that one value has one encoding.
    public(package) fun read_length(self: &mut Reader, limit: u64): u64 {
        let value = 0u64;
        let shift = 0u8;
        loop {
            assert!(self.at < vector::length(&self.bytes) && shift <= 28, E_MALFORMED);
            let byte = (*vector::borrow(&self.bytes, self.at) as u64);
            self.at = self.at + 1;
            value = value | ((byte & 127) << shift);
            if (byte < 128) {
                assert!(shift == 0 || byte > 0, E_MALFORMED);
                break
            };
            shift = shift + 7;
        };
        assert!(value <= limit, E_TOO_MANY);
        value
    }

    public(package) fun finish(self: Reader) {
        let Reader { bytes, at } = self;
        assert!(at == vector::length(&bytes), E_MALFORMED);
    }
}
