/// A map in storage of its own: one state entry a key, so that a call pays only for the keys it touches.
module aptos_std::table {
    /// The native aborts with these: the key is there already, or isn't there.
    const EALREADY_EXISTS: u64 = 0x10064;
    const ENOT_FOUND: u64 = 0x10065;

    friend aptos_std::table_with_length;

    struct Table<phantom K: copy + drop, phantom V> has store {
        handle: address
    }

    /// What a table entry holds. A `key` struct, as the native stores resources.
    struct Box<V> has key, drop, store {
        val: V
    }

    public fun new<K: copy + drop, V: store>(): Table<K, V> {
        Table { handle: new_table_handle<K, V>() }
    }

    /// Aborts if the key is there.
    public fun add<K: copy + drop, V>(self: &mut Table<K, V>, key: K, val: V) {
        add_box<K, V, Box<V>>(self, key, Box { val })
    }

    /// Aborts if the key isn't there.
    public fun borrow<K: copy + drop, V>(self: &Table<K, V>, key: K): &V {
        &borrow_box<K, V, Box<V>>(self, key).val
    }

    public fun borrow_with_default<K: copy + drop, V>(self: &Table<K, V>, key: K, default: &V): &V {
        if (self.contains(key)) self.borrow(key) else default
    }

    /// Aborts if the key isn't there.
    public fun borrow_mut<K: copy + drop, V>(self: &mut Table<K, V>, key: K): &mut V {
        &mut borrow_box_mut<K, V, Box<V>>(self, key).val
    }

    public fun borrow_mut_with_default<K: copy + drop, V: drop>(self: &mut Table<K, V>, key: K, default: V): &mut V {
        if (!self.contains(key)) self.add(key, default);
        self.borrow_mut(key)
    }

    public fun upsert<K: copy + drop, V: drop>(self: &mut Table<K, V>, key: K, value: V) {
        if (self.contains(key)) *self.borrow_mut(key) = value else self.add(key, value)
    }

    /// Aborts if the key isn't there.
    public fun remove<K: copy + drop, V>(self: &mut Table<K, V>, key: K): V {
        let Box { val } = remove_box<K, V, Box<V>>(self, key);
        val
    }

    public fun contains<K: copy + drop, V>(self: &Table<K, V>, key: K): bool {
        contains_box<K, V, Box<V>>(self, key)
    }

    #[test_only]
    public fun drop_unchecked<K: copy + drop, V>(self: Table<K, V>) {
        drop_unchecked_box<K, V, Box<V>>(self)
    }

    /// Only for a caller that counts: the native doesn't look whether the table is empty.
    public(friend) fun destroy_known_empty_unsafe<K: copy + drop, V>(self: Table<K, V>) {
        destroy_empty_box<K, V, Box<V>>(&self);
        drop_unchecked_box<K, V, Box<V>>(self)
    }

    native fun new_table_handle<K, V>(): address;
    native fun add_box<K: copy + drop, V, B>(table: &mut Table<K, V>, key: K, val: Box<V>);
    native fun borrow_box<K: copy + drop, V, B>(table: &Table<K, V>, key: K): &Box<V>;
    native fun borrow_box_mut<K: copy + drop, V, B>(table: &mut Table<K, V>, key: K): &mut Box<V>;
    native fun contains_box<K: copy + drop, V, B>(table: &Table<K, V>, key: K): bool;
    native fun remove_box<K: copy + drop, V, B>(table: &mut Table<K, V>, key: K): Box<V>;
    native fun destroy_empty_box<K: copy + drop, V, B>(table: &Table<K, V>);
    native fun drop_unchecked_box<K: copy + drop, V, B>(table: Table<K, V>);

    #[test]
    fun entries_come_back_as_they_were_put() {
        let t = new<u64, vector<u8>>();
        t.add(1, b"one");
        t.upsert(2, b"two");
        t.upsert(2, b"zwei");
        assert!(*t.borrow(1) == b"one" && *t.borrow(2) == b"zwei", 0);
        t.borrow_mut_with_default(3, b"").push_back(7);
        assert!(t.remove(3) == vector[7] && !t.contains(3), 1);
        assert!(*t.borrow_with_default(9, &b"none") == b"none", 2);
        t.drop_unchecked();
    }

    #[test, expected_failure(abort_code = EALREADY_EXISTS, location = Self)]
    fun a_key_is_not_added_twice() {
        let t = new<u64, u64>();
        t.add(1, 1);
        t.add(1, 2);
        t.drop_unchecked();
    }

    #[test, expected_failure(abort_code = ENOT_FOUND, location = Self)]
    fun a_missing_key_is_not_borrowed() {
        let t = new<u64, u64>();
        let _ = t.borrow(1);
        t.drop_unchecked();
    }
}
