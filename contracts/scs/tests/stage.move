#[test_only]
/// What the tests start from: initialised contracts, a clock, and the vectors' two submitters with SYM in their hands.
module scs::stage {
    use std::vector;
    use aptos_framework::account;
    use aptos_framework::timestamp;
    use scs::dividends;
    use scs::escrow;
    use scs::genesis;
    use scs::inflation;
    use scs::rewards;
    use scs::settlement;
    use scs::staking;
    use scs::sym;
    use scs::treasury;
    use scs::vectors::{Self, Certified};

    const START: u64 = 1_700_000_000;
    const EACH: u64 = 10_000_000;
    const RESERVE: u64 = 50_000_000;

    public fun delay(): u64 { 3_600 }
    public fun window(): u64 { 600 }
    public fun each(): u64 { EACH }
    public fun reserve(): u64 { RESERVE }

    public fun set(): vector<signer> {
        set_with_reserve(RESERVE)
    }

    /// Signers of the vectors' accounts, ascending.
    public fun set_with_reserve(reserve: u64): vector<signer> {
        let framework = account::create_signer_for_test(@aptos_framework);
        timestamp::set_time_has_started_for_testing(&framework);
        timestamp::update_global_time_for_test_secs(START);
        account::create_account_for_test(@0xca11e5);
        let accounts = vectors::accounts();
        genesis::initialize(
            &account::create_signer_for_test(@scs),
            vectors::genesis(),
            vectors::keys(0),
            vectors::recovery_keys(),
            true,
            accounts,
            vector::map(accounts, |_a| EACH),
            reserve,
            delay(),
            window()
        );
        vector::map(accounts, |a| account::create_signer_for_test(a))
    }

    public fun settle(leaf: Certified) {
        let (head, masters, signatures, value, siblings) = leaf.parts();
        settlement::settle(&account::create_signer_for_test(@0xca11e5), head, masters, signatures, value, siblings);
    }

    public fun wait(seconds: u64) {
        timestamp::fast_forward_seconds(seconds);
    }

    /// K9: the parts make up the supply, each store holds what is accounted for, and receivables explain what is owed.
    public fun check_conservation() {
        let hands = 0u128;
        vector::for_each(vectors::accounts(), |a| { hands = hands + (sym::balance(a) as u128); });
        let (total, escrow, rewards, reserve, dividends, staked, pot) = settlement::supply();
        assert!(total == hands + ((escrow + rewards + reserve + dividends + staked + pot) as u128), 900);
        assert!(escrow::stored() >= escrow && rewards::stored() >= rewards && staking::stored() >= staked, 901);
        let (_, genesis_supply, minted, _) = inflation::schedule();
        assert!(dividends::promised() <= dividends, 906);
        assert!(total == genesis_supply + minted && inflation::stored() >= pot, 905);
        let (stored_reserve, stored_dividends) = treasury::stored();
        assert!(stored_reserve >= reserve && stored_dividends >= dividends, 902);
        let (funded, owed) = rewards::totals();
        let (_, _, rewards_owed, dividends_owed, _) = treasury::totals();
        assert!((funded as u128) + rewards_owed == owed, 903);
        assert!(reserve == 0 || rewards_owed + dividends_owed == 0, 904);
    }
}
