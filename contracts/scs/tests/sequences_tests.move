#[test_only]
/// Random sequences over all contracts: K9 after every step, and P4 over batches that are sent again and again, in any order.
/// Seeds are fixed, so a failure repeats. The differential test does the like with a model, and with faulty calls.
module scs::sequences_tests {
    use std::vector;
    use aptos_framework::account;
    use aptos_framework::timestamp;
    use scs::dividends;
    use scs::escrow;
    use scs::inflation;
    use scs::rewards;
    use scs::settlement;
    use scs::stage;
    use scs::staking;
    use scs::sym;
    use scs::vectors::{Self, Certified};

    const PRODUCER: u8 = 2;
    const LAST_BATCH: u64 = 3;

    struct Dice has drop { state: u64 }

    /// Numerical Recipes' linear congruential generator; the upper bits only.
    fun roll(self: &mut Dice, sides: u64): u64 {
        self.state = (self.state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
        (self.state / 65_536) % sides
    }

    fun anyone(): signer { account::create_signer_for_test(@0xca11e5) }

    fun batch(number: u64): Certified {
        if (number == 1) vectors::batch_1() else if (number == 2) vectors::batch_2() else vectors::batch_3()
    }

    fun publish(leaf: Certified) {
        let (head, masters, signatures, value, siblings) = leaf.parts();
        dividends::publish(&anyone(), head, masters, signatures, value, siblings);
    }

    fun slash(leaf: Certified) {
        let (head, masters, signatures, value, siblings) = leaf.parts();
        staking::slash(&anyone(), head, masters, signatures, value, siblings);
    }

    fun reward_nodes() {
        let (head, masters, signatures, value, siblings) = vectors::node_rewards().parts();
        settlement::reward_nodes(&anyone(), head, masters, signatures, value, siblings);
    }

    /// What is certified, each once, as soon as it can be.
    fun certified(dice: &mut Dice, done: &mut vector<u64>) {
        let which = dice.roll(6);
        let next = settlement::next_number();
        let (_, _, _, pot) = inflation::schedule();
        if (which == 0) { if (next <= LAST_BATCH) stage::settle(batch(next)) }
        else if (!vector::contains(done, &which)) {
            if (which == 1) slash(vectors::slash_liveness())
            else if (which == 2) slash(vectors::slash_producer())
            else if (which == 3) slash(vectors::slash_third())
            else if (which == 4 && dividends_in_pot() >= 50_010) publish(vectors::dividends_1())
            else if (which == 5 && pot >= 4_006) reward_nodes()
            else return;
            vector::push_back(done, which);
        }
    }

    fun dividends_in_pot(): u64 {
        let (_, _, _, _, dividends, _, _) = settlement::supply();
        dividends - dividends::promised()
    }

    fun claim_dividend(who: &signer, i: u64) {
        let (index, amount, path) = vectors::dividend_claim(1, i);
        if (!dividends::is_claimed(1, index)) dividends::claim(who, vector[1], vector[index], vector[amount], vector[path]);
    }

    fun bonds(dice: &mut Dice, who: &signer, address: address, role: u8) {
        let (bonded, _, unbonding, ripens_at, _, expelled) = staking::bond(role, address);
        let action = dice.roll(4);
        if (action < 2 && !expelled && sym::balance(address) > 1_000) staking::stake(who, role, 1 + dice.roll(1_000))
        else if (action == 2 && bonded > 0 && unbonding == 0) staking::request_unbond(who, role, 1 + dice.roll(bonded))
        else if (unbonding > 0 && timestamp::now_seconds() >= ripens_at) staking::withdraw(who, role)
        else if (unbonding > 0 && dice.roll(3) == 0) staking::cancel_unbond(who, role)
    }

    fun escrows(dice: &mut Dice, who: &signer, address: address) {
        let (balance, withdrawing, ripens_at, _, _) = escrow::account(address);
        let action = dice.roll(3);
        if (action == 0 && sym::balance(address) > 500_000) escrow::deposit(who, 1 + dice.roll(500_000))
        else if (action == 1 && withdrawing == 0 && balance > 0) escrow::request_withdrawal(who, 1 + dice.roll(balance))
        else if (withdrawing > 0 && timestamp::now_seconds() >= ripens_at) escrow::withdraw(who)
    }

    fun step(dice: &mut Dice, signers: &vector<signer>, done: &mut vector<u64>) {
        let accounts = vectors::accounts();
        let i = dice.roll(6);
        let (who, address) = (vector::borrow(signers, i), *vector::borrow(&accounts, i));
        let action = dice.roll(8);
        let role = ((1 + dice.roll(2)) as u8);
        if (action == 0) stage::wait(1 + dice.roll(3_000))
        else if (action == 1) { if (inflation::due() > 0) inflation::mint_due(who) }
        else if (action == 2) certified(dice, done)
        else if (action == 3) {
            let (funded, _) = rewards::totals();
            if (rewards::claimable(address) > 0 && funded > 0) rewards::claim(who)
        } else if (action == 4) { if (i > 0 && vector::contains(done, &4)) claim_dividend(who, i - 1) }
        else if (action == 5) escrows(dice, who, address)
        else bonds(dice, who, address, role)
    }

    fun run(seed: u64, reserve: u64) {
        let signers = stage::set_with_reserve(reserve);
        let dice = Dice { state: seed };
        let done = vector[];
        for (i in 0..300) {
            step(&mut dice, &signers, &mut done);
            stage::check_conservation();
        };
        // The sequence got somewhere.
        assert!(settlement::next_number() > 1 && vector::length(&done) >= 4, 0);
    }

    #[test]
    fun k9_with_a_full_reserve() { run(11, stage::reserve()); }

    #[test]
    fun k9_with_a_small_reserve() { run(14, 90_000); }

    #[test]
    fun k9_with_no_reserve() { run(13, 0); }

    /// Crashed senders in any number: each looks where the chain is, some sends what it has, and only the next number lands.
    fun send(seed: u64): Dice {
        let signers = stage::set();
        escrow::deposit(vector::borrow(&signers, 0), 5_000_000);
        escrow::deposit(vector::borrow(&signers, 1), 5_000_000);
        let dice = Dice { state: seed };
        while (settlement::next_number() < LAST_BATCH) {
            let number = 1 + dice.roll(LAST_BATCH);
            if (number == settlement::next_number()) stage::settle(batch(number));
            stage::check_conservation();
        };
        dice
    }

    fun escrowed(): u64 {
        let (_, escrow, _, _, _, _, _) = settlement::supply();
        escrow
    }

    #[test]
    /// P4: by whatever path, the charges of each batch are taken once.
    fun p4_each_batch_charges_once() {
        send(21);
        assert!(escrowed() == 10_000_000 - 1_400_001 - 2_000_003, 0);
        stage::settle(vectors::batch_3());
        assert!(escrowed() == 10_000_000 - 1_400_001 - 2_000_003 - 5 * 12_345, 1);
    }

    #[test, expected_failure(abort_code = 1, location = scs::settlement)] // E_ALREADY_SETTLED
    fun p4_a_settled_batch_does_not_land_again() { let dice = send(22); stage::settle(batch(1 + dice.roll(2))); }

    #[test, expected_failure(abort_code = 1, location = scs::settlement)] // E_ALREADY_SETTLED
    fun p4_nor_does_the_last() {
        send(23);
        stage::settle(vectors::batch_3());
        stage::settle(vectors::batch_3());
    }

    #[test, expected_failure(abort_code = 2, location = scs::settlement)] // E_OUT_OF_ORDER
    fun p4_none_lands_before_its_turn() {
        let dice = Dice { state: 24 };
        stage::set();
        stage::settle(batch(2 + dice.roll(2)));
    }
}
