/// A value that may be absent: a vector of no element or one.
module std::option {
    use std::vector;

    /// A value was put where one already is.
    const EOPTION_IS_SET: u64 = 0x40000;
    /// A value was asked for where there is none.
    const EOPTION_NOT_SET: u64 = 0x40001;
    /// `from_vec` was given more than one element.
    const EOPTION_VEC_TOO_LONG: u64 = 0x40002;

    struct Option<Element> has copy, drop, store {
        vec: vector<Element>
    }

    public fun none<Element>(): Option<Element> {
        Option { vec: vector[] }
    }

    public fun some<Element>(e: Element): Option<Element> {
        Option { vec: vector[e] }
    }

    public fun from_vec<Element>(vec: vector<Element>): Option<Element> {
        assert!(vec.length() <= 1, EOPTION_VEC_TOO_LONG);
        Option { vec }
    }

    public fun is_none<Element>(self: &Option<Element>): bool {
        vector::is_empty(&self.vec)
    }

    public fun is_some<Element>(self: &Option<Element>): bool {
        !self.vec.is_empty()
    }

    public fun contains<Element>(self: &Option<Element>, e_ref: &Element): bool {
        self.vec.contains(e_ref)
    }

    public fun borrow<Element>(self: &Option<Element>): &Element {
        assert!(self.is_some(), EOPTION_NOT_SET);
        self.vec.borrow(0)
    }

    public fun borrow_mut<Element>(self: &mut Option<Element>): &mut Element {
        assert!(self.is_some(), EOPTION_NOT_SET);
        self.vec.borrow_mut(0)
    }

    public fun borrow_with_default<Element>(self: &Option<Element>, default_ref: &Element): &Element {
        if (self.is_some()) self.vec.borrow(0) else default_ref
    }

    public fun get_with_default<Element: copy + drop>(self: &Option<Element>, default: Element): Element {
        if (self.is_some()) *self.vec.borrow(0) else default
    }

    public fun fill<Element>(self: &mut Option<Element>, e: Element) {
        assert!(self.is_none(), EOPTION_IS_SET);
        self.vec.push_back(e)
    }

    public fun extract<Element>(self: &mut Option<Element>): Element {
        assert!(self.is_some(), EOPTION_NOT_SET);
        self.vec.pop_back()
    }

    public fun swap<Element>(self: &mut Option<Element>, el: Element): Element {
        let old = self.extract();
        self.fill(el);
        old
    }

    public fun swap_or_fill<Element>(self: &mut Option<Element>, e: Element): Option<Element> {
        let old = if (self.is_some()) some(self.extract()) else none();
        self.fill(e);
        old
    }

    public fun destroy_with_default<Element: drop>(self: Option<Element>, default: Element): Element {
        if (self.is_some()) self.extract() else default
    }

    public fun destroy_some<Element>(self: Option<Element>): Element {
        assert!(self.is_some(), EOPTION_NOT_SET);
        let Option { vec } = self;
        let e = vec.pop_back();
        vec.destroy_empty();
        e
    }

    public fun destroy_none<Element>(self: Option<Element>) {
        assert!(self.is_none(), EOPTION_IS_SET);
        let Option { vec } = self;
        vec.destroy_empty()
    }

    public fun to_vec<Element>(self: Option<Element>): vector<Element> {
        let Option { vec } = self;
        vec
    }

    public inline fun for_each_ref<Element>(self: &Option<Element>, f: |&Element|) {
        if (self.is_some()) f(self.borrow())
    }

    public inline fun map<Element, OtherElement>(self: Option<Element>, f: |Element| OtherElement): Option<OtherElement> {
        if (self.is_some()) {
            some(f(self.destroy_some()))
        } else {
            self.destroy_none();
            none()
        }
    }

    public inline fun any<Element>(self: &Option<Element>, p: |&Element| bool): bool {
        self.is_some() && p(self.borrow())
    }

    #[test]
    fun a_filled_option_gives_its_value_back() {
        let o = none<u64>();
        assert!(o.is_none(), 0);
        o.fill(7);
        assert!(*o.borrow() == 7 && o.contains(&7), 1);
        assert!(o.swap(8) == 7, 2);
        assert!(o.swap_or_fill(9) == some(8), 3);
        assert!(o.get_with_default(1) == 9, 4);
        assert!(o.destroy_some() == 9, 5);
        assert!(some(3u8).map(|x| (x as u64) + 1) == some(4u64), 6);
    }

    #[test, expected_failure(abort_code = EOPTION_NOT_SET)]
    fun an_empty_option_has_nothing_to_extract() {
        none<u64>().extract();
    }

    #[test, expected_failure(abort_code = EOPTION_IS_SET)]
    fun a_set_option_is_not_filled_twice() {
        some(1u64).fill(2);
    }
}
