/// Who signed: the address behind a `signer`.
module std::signer {
    /// The native hands out a reference, so that a signer need not be copied.
    native public fun borrow_address(s: &signer): &address;

    public fun address_of(s: &signer): address {
        *borrow_address(s)
    }
}
