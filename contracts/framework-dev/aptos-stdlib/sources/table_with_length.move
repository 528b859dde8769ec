/// A table that counts its entries, and can therefore be destroyed when empty.
module aptos_std::table_with_length {
    use std::error;
    use aptos_std::table::{Self, Table};

    /// The native's own reasons, as `table` raises them.
    const EALREADY_EXISTS: u64 = 100;
    const ENOT_FOUND: u64 = 101;
    /// Only an empty table can be destroyed.
    const ENOT_EMPTY: u64 = 102;

    struct TableWithLength<phantom K: copy + drop, phantom V> has store {
        inner: Table<K, V>,
        length: u64
    }

    public fun new<K: copy + drop, V: store>(): TableWithLength<K, V> {
        TableWithLength { inner: table::new(), length: 0 }
    }

    public fun destroy_empty<K: copy + drop, V>(self: TableWithLength<K, V>) {
        assert!(self.length == 0, error::invalid_state(ENOT_EMPTY));
        let TableWithLength { inner, length: _ } = self;
        inner.destroy_known_empty_unsafe()
    }

    public fun add<K: copy + drop, V>(self: &mut TableWithLength<K, V>, key: K, val: V) {
        self.inner.add(key, val);
        self.length += 1;
    }

    public fun borrow<K: copy + drop, V>(self: &TableWithLength<K, V>, key: K): &V {
        self.inner.borrow(key)
    }

    public fun borrow_mut<K: copy + drop, V>(self: &mut TableWithLength<K, V>, key: K): &mut V {
        self.inner.borrow_mut(key)
    }

    public fun length<K: copy + drop, V>(self: &TableWithLength<K, V>): u64 {
        self.length
    }

    public fun empty<K: copy + drop, V>(self: &TableWithLength<K, V>): bool {
        self.length == 0
    }

    public fun borrow_mut_with_default<K: copy + drop, V: drop>(self: &mut TableWithLength<K, V>, key: K, default: V): &mut V {
        if (!self.inner.contains(key)) self.add(key, default);
        self.inner.borrow_mut(key)
    }

    public fun upsert<K: copy + drop, V: drop>(self: &mut TableWithLength<K, V>, key: K, value: V) {
        if (self.inner.contains(key)) *self.inner.borrow_mut(key) = value else self.add(key, value)
    }

    public fun remove<K: copy + drop, V>(self: &mut TableWithLength<K, V>, key: K): V {
        let val = self.inner.remove(key);
        self.length -= 1;
        val
    }

    public fun contains<K: copy + drop, V>(self: &TableWithLength<K, V>, key: K): bool {
        self.inner.contains(key)
    }

    #[test]
    fun the_length_follows_the_entries() {
        let t = new<u8, u8>();
        t.add(1, 1);
        t.upsert(1, 2);
        *t.borrow_mut_with_default(2, 0) = 5;
        assert!(t.length() == 2 && *t.borrow(2) == 5, 0);
        t.remove(1);
        t.remove(2);
        assert!(t.empty(), 1);
        t.destroy_empty();
    }
}
