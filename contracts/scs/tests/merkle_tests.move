#[test_only]
module scs::merkle_tests {
    use std::vector;
    use scs::merkle;
    use scs::vectors;

    fun flipped(bytes: vector<u8>): vector<u8> {
        let last = vector::length(&bytes) - 1;
        let byte = vector::borrow_mut(&mut bytes, last);
        *byte = *byte ^ 1;
        bytes
    }

    #[test]
    /// E3, N6: every entry of the state is proved by its path, and by nothing else.
    fun state_paths_are_those_of_typescript() {
        let root = vectors::state_root();
        vector::for_each_ref(&vectors::entries(), |entry| {
            let (key, value, path) = entry.entry_parts();
            assert!(merkle::proves_entry(&root, key, value, &path), 0);
            assert!(!merkle::proves_entry(&root, key, flipped(value), &path), 1);
            assert!(!merkle::proves_entry(&root, flipped(key), value, &path), 2);
            assert!(!merkle::proves_entry(&flipped(root), key, value, &path), 3);
            vector::pop_back(&mut path);
            assert!(!merkle::proves_entry(&root, key, value, &path), 4);
            vector::push_back(&mut path, b"short");
            assert!(!merkle::proves_entry(&root, key, value, &path), 5);
        });
    }

    #[test]
    fun a_path_longer_than_the_hash_proves_nothing() {
        let path = vector[];
        for (i in 0..257) vector::push_back(&mut path, vectors::state_root());
        assert!(!merkle::proves_entry(&vectors::state_root(), b"key", b"value", &path), 0);
    }

    #[test]
    /// E3, P3: every task of a list is proved at its index and at no other, with its count and no other.
    fun list_paths_are_those_of_typescript() {
        vector::for_each_ref(&vectors::lists(), |list| {
            let (root, index, count, item, path) = list.list_parts();
            assert!(merkle::proves_item(&root, index, count, item, &path), 0);
            assert!(!merkle::proves_item(&root, index + 1, count, item, &path), 1);
            assert!(!merkle::proves_item(&root, index, index, item, &path), 2);
            assert!(!merkle::proves_item(&root, index, count, flipped(item), &path), 3);
            assert!(!merkle::proves_item(&root, index, 0, item, &path), 4);
            vector::push_back(&mut path, root);
            assert!(!merkle::proves_item(&root, index, count, item, &path), 5);
        });
    }

    #[test]
    fun keys_are_decimal() {
        assert!(merkle::numbered_key(b"batch/", 0) == b"batch/0", 0);
        assert!(merkle::numbered_key(b"batch/", 907) == b"batch/907", 1);
        assert!(merkle::numbered_key(b"", 18446744073709551615) == b"18446744073709551615", 2);
    }
}
