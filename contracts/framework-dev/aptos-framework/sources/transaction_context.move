/// What a contract can know of its own transaction.
module aptos_framework::transaction_context {
    /// The transaction's hash.
    native public fun get_transaction_hash(): vector<u8>;
    native fun generate_unique_address(): address;

    /// An address that nothing else gets: from the transaction and a counter in it.
    public fun generate_auid_address(): address {
        generate_unique_address()
    }
}
