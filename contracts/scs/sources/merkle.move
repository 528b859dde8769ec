/// Paths into the masters' certified state and into a batch's list of tasks (rules N6, P3); the twin of
/// `protocol/src/merkle.ts` and `listPath` in `protocol/src/settlement-layout.ts`.
module scs::merkle {
    use std::hash;
    use std::vector;

    const LEAF: u8 = 0;
    const NODE: u8 = 1;
    const DIGEST_LENGTH: u64 = 32;
    const MAX_STATE_DEPTH: u64 = 256;
    const MAX_LIST_DEPTH: u64 = 64;

    /// Does the path lead from this key and value to the state root? Siblings from the root downwards. Never aborts.
    public fun proves_entry(
        root: &vector<u8>, key: vector<u8>, value: vector<u8>, siblings: &vector<vector<u8>>
    ): bool {
        let depth = vector::length(siblings);
        if (depth > MAX_STATE_DEPTH) return false;
        let path = hash::sha3_256(key);
        let leaf = vector[LEAF];
        vector::append(&mut leaf, path);
        vector::append(&mut leaf, hash::sha3_256(value));
        let digest = hash::sha3_256(leaf);
        while (depth > 0) {
            depth = depth - 1;
            let sibling = *vector::borrow(siblings, depth);
            if (vector::length(&sibling) != DIGEST_LENGTH) return false;
            digest = if (bit_at(&path, depth) == 0) node(digest, sibling) else node(sibling, digest);
        };
        &digest == root
    }

    /// Is `item` the one at `index` of a list of `count` with this root (RFC 6962; verified as in RFC 9162, section
    /// 2.1.3.2)? Siblings from the leaf upwards. Never aborts.
    public fun proves_item(
        root: &vector<u8>, index: u64, count: u64, item: vector<u8>, siblings: &vector<vector<u8>>
    ): bool {
        let depth = vector::length(siblings);
        if (index >= count || depth > MAX_LIST_DEPTH) return false;
        let leaf = vector[LEAF];
        vector::append(&mut leaf, item);
        let digest = hash::sha3_256(leaf);
        let at = index;
        let last = count - 1;
        for (i in 0..depth) {
            let sibling = *vector::borrow(siblings, i);
            if (last == 0 || vector::length(&sibling) != DIGEST_LENGTH) return false;
            if (at % 2 == 1 || at == last) {
                digest = node(sibling, digest);
                while (at % 2 == 0 && at != 0) {
                    at = at / 2;
                    last = last / 2;
                };
            } else {
                digest = node(digest, sibling);
            };
            at = at / 2;
            last = last / 2;
        };
        last == 0 && &digest == root
    }

    /// `prefix` followed by the number in decimal: the keys `batch/7` and `committee/1`.
    public(package) fun numbered_key(prefix: vector<u8>, number: u64): vector<u8> {
        let digits = vector[];
        loop {
            vector::push_back(&mut digits, 48 + ((number % 10) as u8));
            number = number / 10;
            if (number == 0) break;
        };
        vector::reverse(&mut digits);
        vector::append(&mut prefix, digits);
        prefix
    }

    fun node(left: vector<u8>, right: vector<u8>): vector<u8> {
        let bytes = vector[NODE];
        vector::append(&mut bytes, left);
        vector::append(&mut bytes, right);
        hash::sha3_256(bytes)
    }

    fun bit_at(path: &vector<u8>, depth: u64): u8 {
        (*vector::borrow(path, depth / 8) >> ((7 - depth % 8) as u8)) & 1
    }
}
