/// The chain's time: that of the block, the same for all its transactions, never going back.
module aptos_framework::timestamp {
    use aptos_framework::block;
    #[test_only]
    use std::error;

    #[test_only]
    /// The test would let time go back.
    const EINVALID_TIMESTAMP: u64 = 2;

    const MICRO_CONVERSION_FACTOR: u64 = 1000000;

    #[view]
    public fun now_microseconds(): u64 {
        let (_, now) = block::get_block_info();
        now
    }

    #[view]
    public fun now_seconds(): u64 {
        now_microseconds() / MICRO_CONVERSION_FACTOR
    }

    #[test_only]
    public fun set_time_has_started_for_testing(_account: &signer) {
        block::set_block_info(0, 0)
    }

    #[test_only]
    public fun update_global_time_for_test(timestamp_microsecs: u64) {
        let (height, now) = block::get_block_info();
        assert!(timestamp_microsecs > now, error::invalid_argument(EINVALID_TIMESTAMP));
        block::set_block_info(height + 1, timestamp_microsecs)
    }

    #[test_only]
    public fun update_global_time_for_test_secs(timestamp_seconds: u64) {
        update_global_time_for_test(timestamp_seconds * MICRO_CONVERSION_FACTOR)
    }

    #[test_only]
    public fun fast_forward_seconds(timestamp_seconds: u64) {
        update_global_time_for_test_secs(now_seconds() + timestamp_seconds)
    }

    #[test(framework = @aptos_framework)]
    fun time_moves_forward_only(framework: &signer) {
        set_time_has_started_for_testing(framework);
        update_global_time_for_test_secs(1700000000);
        fast_forward_seconds(5);
        assert!(now_seconds() == 1700000005 && now_microseconds() == 1700000005000000, 0);
    }

    #[test(framework = @aptos_framework), expected_failure(abort_code = 0x10002, location = Self)]
    fun time_never_goes_back(framework: &signer) {
        set_time_has_started_for_testing(framework);
        update_global_time_for_test(7);
        update_global_time_for_test(7);
    }
}
