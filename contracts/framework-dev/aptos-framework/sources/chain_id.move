/// Which chain this is. The node writes the resource at genesis.
module aptos_framework::chain_id {
    struct ChainId has key {
        id: u8
    }

    #[view]
    public fun get(): u8 acquires ChainId {
        borrow_global<ChainId>(@aptos_framework).id
    }

    #[test_only]
    public fun initialize_for_test(aptos_framework: &signer, id: u8) {
        move_to(aptos_framework, ChainId { id })
    }
}
