/// From nothing to running contracts, once (rules G7, K7): committee, supply, escrow terms. After this transaction the
/// publisher's key has no power that anybody else's hasn't.
module scs::genesis {
    use std::vector;
    use aptos_framework::event;
    use aptos_framework::fungible_asset;
    use aptos_framework::primary_fungible_store;
    use scs::accountability;
    use scs::committee;
    use scs::dividends;
    use scs::escrow;
    use scs::governance;
    use scs::inflation;
    use scs::recovery;
    use scs::rewards;
    use scs::settlement;
    use scs::staking;
    use scs::sym;
    use scs::treasury;

    /// One amount an account, at most 1,000 of them.
    const E_BAD_ALLOCATIONS: u64 = 1;
    /// An allocation of nothing.
    const E_ZERO_AMOUNT: u64 = 2;

    /// With all that the schedule will ever mint, the supply exceeds 64 bits.
    const E_SUPPLY_TOO_LARGE: u64 = 3;

    const MAX_U64: u128 = 18_446_744_073_709_551_615;
    /// Longer than the schedule of minting runs.
    const FOREVER_SECONDS: u64 = 3_153_600_000;
    const MAX_ALLOCATIONS: u64 = 1_000;

    #[event]
    struct Initialized has drop, store {
        genesis: vector<u8>,
        simulated: bool,
        keys: vector<vector<u8>>,
        supply: u128
    }

    /// `genesis` is the digest that every certificate carries, `keys` the first committee, `recovery_keys` appoint another when
    /// it is lost (N9), `treasury_reserve` and `amounts` are the genesis supply of SYM in base units; after it only the schedule
    /// of `inflation` mints. Only the publisher, only once.
    public entry fun initialize(
        publisher: &signer,
        genesis: vector<u8>,
        keys: vector<vector<u8>>,
        recovery_keys: vector<vector<u8>>,
        simulated: bool,
        accounts: vector<address>,
        amounts: vector<u64>,
        treasury_reserve: u64,
        withdrawal_delay_seconds: u64,
        withdrawal_window_seconds: u64
    ) {
        committee::start(publisher, genesis, keys, simulated);
        let count = vector::length(&accounts);
        assert!(count <= MAX_ALLOCATIONS && count == vector::length(&amounts), E_BAD_ALLOCATIONS);
        let mint = sym::create(publisher);
        for (i in 0..count) {
            let amount = *vector::borrow(&amounts, i);
            assert!(amount > 0, E_ZERO_AMOUNT);
            primary_fungible_store::deposit(*vector::borrow(&accounts, i), fungible_asset::mint(&mint, amount));
        };
        // So that no store and no purse can ever overflow, whoever holds how much.
        let supply = sym::total_supply() + (treasury_reserve as u128);
        assert!(supply + inflation::minted_by(supply, FOREVER_SECONDS) <= MAX_U64, E_SUPPLY_TOO_LARGE);
        rewards::start(publisher);
        treasury::start(publisher, fungible_asset::mint(&mint, treasury_reserve));
        escrow::start(publisher, withdrawal_delay_seconds, withdrawal_window_seconds);
        settlement::start(publisher);
        // The escrow's delay is longer than the longest task and its challenge window (`protocol/src/genesis.ts`): twice that
        // leaves time to judge what was challenged at the last moment (G3).
        staking::start(publisher, 2 * withdrawal_delay_seconds);
        accountability::start(publisher);
        inflation::start(publisher, mint);
        dividends::start(publisher);
        governance::start(publisher);
        // Whoever asks for their bond back when a recovery is opened has it, and a whole delay to fetch it, before it ripens.
        recovery::start(publisher, recovery_keys, 3 * withdrawal_delay_seconds);
        event::emit(Initialized { genesis, simulated, keys, supply: sym::total_supply() });
    }
}
