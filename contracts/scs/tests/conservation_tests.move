#[test_only]
/// K9 after each step of pseudo-random sequences: deposits, withdrawals in every state, charges beyond the balance, claims,
/// donations. Seeds are fixed, so a failure repeats.
module scs::conservation_tests {
    use std::vector;
    use aptos_framework::timestamp;
    use scs::escrow;
    use scs::rewards;
    use scs::stage;
    use scs::sym;
    use scs::treasury;
    use scs::vectors;

    struct Dice has drop { state: u64 }

    /// Numerical Recipes' linear congruential generator; the upper bits only.
    fun roll(self: &mut Dice, sides: u64): u64 {
        self.state = (self.state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
        (self.state / 65_536) % sides
    }

    /// What `settlement` does with one debit and one credit: a fifth is dividends, a fifth the treasury's.
    fun charge(submitter: address, worker: address, amount: u64) {
        let (taken, shortfall) = escrow::charge(submitter, amount);
        assert!(taken + shortfall == amount, 800);
        let fifth = amount / 5;
        treasury::settle(escrow::release(taken), shortfall, amount - 2 * fifth, fifth);
        if (amount > 2 * fifth) rewards::credit(worker, amount - 2 * fifth);
    }

    fun step(dice: &mut Dice, signers: &vector<signer>) {
        let accounts = vectors::accounts();
        let i = dice.roll(6);
        let (who, address) = (vector::borrow(signers, i), *vector::borrow(&accounts, i));
        let (balance, withdrawing, ripens_at, _, _) = escrow::account(address);
        let amount = 1 + dice.roll(5_000);
        let action = dice.roll(7);
        if (action == 0 && sym::balance(address) >= amount) escrow::deposit(who, amount)
        else if (action == 1 && withdrawing == 0 && balance > 0) escrow::request_withdrawal(who, 1 + dice.roll(balance))
        else if (action == 2) stage::wait(1 + dice.roll(3_000))
        else if (action == 3 && withdrawing > 0 && timestamp::now_seconds() >= ripens_at) escrow::withdraw(who)
        else if (action == 4 && withdrawing > 0 && dice.roll(4) == 0) escrow::cancel_withdrawal(who)
        else if (action == 5) charge(address, *vector::borrow(&accounts, dice.roll(6)), amount)
        else if (action == 6) {
            let (funded, _) = rewards::totals();
            if (rewards::claimable(address) > 0 && funded > 0) rewards::claim(who)
            else if (sym::balance(address) >= 3) treasury::fund(who, 1 + dice.roll(3));
        }
    }

    /// Sums over the accounts are the totals that the contracts keep.
    fun check_sums() {
        let (balances, debts, claimable) = (0u64, 0u128, 0u128);
        vector::for_each(vectors::accounts(), |a| {
            let (balance, withdrawing, _, _, debt) = escrow::account(a);
            assert!(withdrawing <= balance && (debt == 0 || balance == 0), 810);
            balances = balances + balance;
            debts = debts + (debt as u128);
            claimable = claimable + (rewards::claimable(a) as u128);
        });
        let (_, owed) = rewards::totals();
        let (_, _, _, _, advanced) = treasury::totals();
        assert!(balances == escrow::total() && debts == advanced && claimable == owed, 811);
    }

    fun run(seed: u64, reserve: u64) {
        let signers = stage::set_with_reserve(reserve);
        let dice = Dice { state: seed };
        for (i in 0..150) {
            step(&mut dice, &signers);
            stage::check_conservation();
            check_sums();
        }
    }

    #[test]
    fun with_a_full_reserve() { run(1, stage::reserve()); }

    #[test]
    fun with_a_small_reserve() { run(2, 2_000); }

    #[test]
    fun with_no_reserve() { run(3, 0); }
}
