/// Height and time of the block in execution.
module aptos_framework::block {
    friend aptos_framework::timestamp;

    #[view]
    public fun get_current_block_height(): u64 {
        let (height, _) = get_block_info();
        height
    }

    /// Height, and the block's time in microseconds since 1970 (the devnet gives the VM microseconds).
    native public(friend) fun get_block_info(): (u64, u64);

    #[test_only]
    native public(friend) fun set_block_info(height: u64, timestamp_microseconds: u64);
}
