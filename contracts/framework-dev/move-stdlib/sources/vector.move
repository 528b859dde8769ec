/// Growable arrays. The first eight functions are bytecode instructions; the rest is Move over them.
module std::vector {
    /// The index or range lies outside the vector.
    const EINDEX_OUT_OF_BOUNDS: u64 = 0x20000;
    /// Two vectors that must be of one length are not.
    const EVECTORS_LENGTH_MISMATCH: u64 = 0x20002;
    /// A step of zero never ends.
    const EINVALID_STEP: u64 = 0x20003;
    /// The range ends before it starts, or past the end.
    const EINVALID_SLICE_RANGE: u64 = 0x20004;

    #[bytecode_instruction]
    native public fun empty<Element>(): vector<Element>;
    #[bytecode_instruction]
    native public fun length<Element>(self: &vector<Element>): u64;
    #[bytecode_instruction]
    native public fun borrow<Element>(self: &vector<Element>, i: u64): &Element;
    #[bytecode_instruction]
    native public fun push_back<Element>(self: &mut vector<Element>, e: Element);
    #[bytecode_instruction]
    native public fun borrow_mut<Element>(self: &mut vector<Element>, i: u64): &mut Element;
    #[bytecode_instruction]
    native public fun pop_back<Element>(self: &mut vector<Element>): Element;
    #[bytecode_instruction]
    native public fun destroy_empty<Element>(self: vector<Element>);
    #[bytecode_instruction]
    native public fun swap<Element>(self: &mut vector<Element>, i: u64, j: u64);

    public fun singleton<Element>(e: Element): vector<Element> {
        let v = empty();
        v.push_back(e);
        v
    }

    public fun last<Element>(self: &vector<Element>): &Element {
        let len = self.length();
        assert!(len > 0, EINDEX_OUT_OF_BOUNDS);
        self.borrow(len - 1)
    }

    public fun last_mut<Element>(self: &mut vector<Element>): &mut Element {
        let len = self.length();
        assert!(len > 0, EINDEX_OUT_OF_BOUNDS);
        self.borrow_mut(len - 1)
    }

    public fun is_empty<Element>(self: &vector<Element>): bool {
        self.length() == 0
    }

    public fun reverse<Element>(self: &mut vector<Element>) {
        let len = self.length();
        self.reverse_slice(0, len)
    }

    /// Reverses `[left, right)` in place.
    public fun reverse_slice<Element>(self: &mut vector<Element>, left: u64, right: u64) {
        assert!(left <= right && right <= self.length(), EINVALID_SLICE_RANGE);
        while (left + 1 < right) {
            right -= 1;
            self.swap(left, right);
            left += 1;
        }
    }

    public fun append<Element>(self: &mut vector<Element>, other: vector<Element>) {
        other.reverse();
        self.reverse_append(other)
    }

    /// Appends the elements of `other`, last first.
    public fun reverse_append<Element>(self: &mut vector<Element>, other: vector<Element>) {
        let left = other.length();
        while (left > 0) {
            self.push_back(other.pop_back());
            left -= 1;
        };
        other.destroy_empty()
    }

    /// Cuts to `new_len`; what was cut off is returned in order.
    public fun trim<Element>(self: &mut vector<Element>, new_len: u64): vector<Element> {
        let cut = self.trim_reverse(new_len);
        cut.reverse();
        cut
    }

    public fun trim_reverse<Element>(self: &mut vector<Element>, new_len: u64): vector<Element> {
        let len = self.length();
        assert!(new_len <= len, EINDEX_OUT_OF_BOUNDS);
        let cut = empty();
        while (len > new_len) {
            cut.push_back(self.pop_back());
            len -= 1;
        };
        cut
    }

    public fun contains<Element>(self: &vector<Element>, e: &Element): bool {
        let (found, _) = self.index_of(e);
        found
    }

    /// `(true, i)` for the first element equal to `e`, else `(false, 0)`.
    public fun index_of<Element>(self: &vector<Element>, e: &Element): (bool, u64) {
        let i = 0;
        let len = self.length();
        while (i < len) {
            if (self.borrow(i) == e) return (true, i);
            i += 1;
        };
        (false, 0)
    }

    public fun insert<Element>(self: &mut vector<Element>, i: u64, e: Element) {
        let len = self.length();
        assert!(i <= len, EINDEX_OUT_OF_BOUNDS);
        self.push_back(e);
        while (i < len) {
            self.swap(i, len);
            i += 1;
        }
    }

    /// Takes element `i` out and keeps the order of the others.
    public fun remove<Element>(self: &mut vector<Element>, i: u64): Element {
        let len = self.length();
        assert!(i < len, EINDEX_OUT_OF_BOUNDS);
        while (i + 1 < len) {
            self.swap(i, i + 1);
            i += 1;
        };
        self.pop_back()
    }

    public fun remove_value<Element>(self: &mut vector<Element>, val: &Element): vector<Element> {
        let (found, i) = self.index_of(val);
        if (found) vector[self.remove(i)] else vector[]
    }

    /// Takes element `i` out in constant time; the last one takes its place.
    public fun swap_remove<Element>(self: &mut vector<Element>, i: u64): Element {
        let len = self.length();
        assert!(i < len, EINDEX_OUT_OF_BOUNDS);
        self.swap(i, len - 1);
        self.pop_back()
    }

    public fun replace<Element>(self: &mut vector<Element>, i: u64, val: Element): Element {
        let len = self.length();
        assert!(i < len, EINDEX_OUT_OF_BOUNDS);
        self.push_back(val);
        self.swap(i, len);
        self.pop_back()
    }

    /// A copy of `[start, end)`.
    public fun slice<Element: copy>(self: &vector<Element>, start: u64, end: u64): vector<Element> {
        assert!(start <= end && end <= self.length(), EINVALID_SLICE_RANGE);
        let part = vector[];
        while (start < end) {
            part.push_back(*self.borrow(start));
            start += 1;
        };
        part
    }

    public fun range(start: u64, end: u64): vector<u64> {
        range_with_step(start, end, 1)
    }

    public fun range_with_step(start: u64, end: u64, step: u64): vector<u64> {
        assert!(step > 0, EINVALID_STEP);
        let v = vector[];
        while (start < end) {
            v.push_back(start);
            start += step;
        };
        v
    }

    public inline fun find<Element>(self: &vector<Element>, f: |&Element| bool): (bool, u64) {
        let found = false;
        let at = 0;
        let i = 0;
        let len = self.length();
        while (i < len) {
            if (f(self.borrow(i))) {
                found = true;
                at = i;
                break
            };
            i += 1;
        };
        (found, at)
    }

    public inline fun for_each<Element>(self: vector<Element>, f: |Element|) {
        let v = self;
        v.reverse();
        v.for_each_reverse(|e| f(e))
    }

    public inline fun for_each_reverse<Element>(self: vector<Element>, f: |Element|) {
        let v = self;
        let left = v.length();
        while (left > 0) {
            f(v.pop_back());
            left -= 1;
        };
        v.destroy_empty()
    }

    public inline fun for_each_ref<Element>(self: &vector<Element>, f: |&Element|) {
        let i = 0;
        let len = self.length();
        while (i < len) {
            f(self.borrow(i));
            i += 1;
        }
    }

    public inline fun for_each_mut<Element>(self: &mut vector<Element>, f: |&mut Element|) {
        let i = 0;
        let len = self.length();
        while (i < len) {
            f(self.borrow_mut(i));
            i += 1;
        }
    }

    public inline fun enumerate_ref<Element>(self: &vector<Element>, f: |u64, &Element|) {
        let i = 0;
        let len = self.length();
        while (i < len) {
            f(i, self.borrow(i));
            i += 1;
        }
    }

    public inline fun zip<Element1, Element2>(self: vector<Element1>, v2: vector<Element2>, f: |Element1, Element2|) {
        let v1 = self;
        let v2 = v2;
        let left = v1.length();
        assert!(left == v2.length(), 0x20002);
        v1.reverse();
        v2.reverse();
        while (left > 0) {
            f(v1.pop_back(), v2.pop_back());
            left -= 1;
        };
        v1.destroy_empty();
        v2.destroy_empty()
    }

    public inline fun zip_ref<Element1, Element2>(self: &vector<Element1>, v2: &vector<Element2>, f: |&Element1, &Element2|) {
        let i = 0;
        let len = self.length();
        assert!(len == v2.length(), 0x20002);
        while (i < len) {
            f(self.borrow(i), v2.borrow(i));
            i += 1;
        }
    }

    public inline fun fold<Accumulator, Element>(
        self: vector<Element>, init: Accumulator, f: |Accumulator, Element| Accumulator
    ): Accumulator {
        let accu = init;
        self.for_each(|e| accu = f(accu, e));
        accu
    }

    public inline fun map_ref<Element, NewElement>(self: &vector<Element>, f: |&Element| NewElement): vector<NewElement> {
        let result = vector<NewElement>[];
        self.for_each_ref(|e| result.push_back(f(e)));
        result
    }

    public inline fun map<Element, NewElement>(self: vector<Element>, f: |Element| NewElement): vector<NewElement> {
        let result = vector<NewElement>[];
        self.for_each(|e| result.push_back(f(e)));
        result
    }

    public inline fun filter<Element: drop>(self: vector<Element>, p: |&Element| bool): vector<Element> {
        let result = vector<Element>[];
        self.for_each(|e| { if (p(&e)) result.push_back(e); });
        result
    }

    public inline fun any<Element>(self: &vector<Element>, p: |&Element| bool): bool {
        let (found, _) = self.find(|e| p(e));
        found
    }

    public inline fun all<Element>(self: &vector<Element>, p: |&Element| bool): bool {
        let (found, _) = self.find(|e| !p(e));
        !found
    }

    public inline fun destroy<Element>(self: vector<Element>, d: |Element|) {
        self.for_each_reverse(|e| d(e))
    }

    #[test]
    fun order_is_kept_where_it_is_promised() {
        let v = range(0, 5);
        v.insert(1, 9);
        assert!(v == vector[0, 9, 1, 2, 3, 4], 0);
        assert!(v.remove(1) == 9 && v == range(0, 5), 1);
        assert!(v.trim(3) == vector[3, 4] && v == vector[0, 1, 2], 2);
        v.append(vector[7, 8]);
        assert!(v == vector[0, 1, 2, 7, 8], 3);
        assert!(v.swap_remove(0) == 0 && v == vector[8, 1, 2, 7], 4);
        assert!(v.replace(0, 5) == 8 && v.slice(0, 2) == vector[5, 1], 5);
        v.reverse();
        assert!(v == vector[7, 2, 1, 5], 6);
        assert!(v.remove_value(&2) == vector[2] && v.remove_value(&99) == vector[], 7);
    }

    #[test]
    fun the_inline_functions_see_each_element_once_in_order() {
        let v = vector[1u64, 2, 3];
        assert!(v.map(|x| x * 2) == vector[2, 4, 6], 0);
        assert!(v.map_ref(|x| *x + 1) == vector[2, 3, 4], 1);
        assert!(v.filter(|x| *x != 2) == vector[1, 3], 2);
        assert!(v.fold(0u64, |a, x| a * 10 + x) == 123, 3);
        assert!(v.any(|x| *x == 3) && !v.all(|x| *x == 3), 4);
        let (found, at) = v.find(|x| *x == 2);
        assert!(found && at == 1, 5);
        v.for_each_mut(|x| *x = *x + 1);
        assert!(v == vector[2, 3, 4], 6);
        let sum = 0;
        v.zip(vector[10u64, 100, 1000], |a, b| sum = sum + a * b);
        assert!(sum == 4320, 7);
        v.enumerate_ref(|i, x| assert!(*x == i + 2, 8));
    }

    #[test, expected_failure(abort_code = EINDEX_OUT_OF_BOUNDS)]
    fun removing_past_the_end_aborts() {
        vector[1u8].remove(1);
    }

    #[test, expected_failure(abort_code = EVECTORS_LENGTH_MISMATCH)]
    fun zipping_different_lengths_aborts() {
        vector[1u8].zip(vector<u8>[], |_a, _b| {});
    }
}
