//! Load for the crate `minbft`: three replicas in one thread, messages handed over in memory, USIGs that sign with Ed25519,
//! nothing on a disk. Arguments: commands, batch size, bytes a command. Prints one line of JSON, times in microseconds.
use std::{
    collections::VecDeque,
    num::{NonZeroU64, NonZeroUsize},
    time::{Duration, Instant},
};

use anyhow::{bail, Context, Result};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use minbft::{Config, MinBft, Output, RequestPayload};
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use shared_ids::{ClientId, ReplicaId, RequestId};
use usig::signature::UsigSignature;

const REPLICAS: u64 = 3;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Command {
    number: u64,
    #[serde(with = "serde_bytes")]
    content: Vec<u8>,
}
impl RequestPayload for Command {
    fn id(&self) -> RequestId {
        RequestId::from_u64(self.number)
    }
    fn verify(&self, _: ClientId) -> Result<()> {
        Ok(())
    }
}

type Counter = UsigSignature<Signature, SigningKey, VerifyingKey>;
type Message = minbft::PeerMessage<VerifyingKey, Command, usig::signature::Signature<Signature>>;

struct Group {
    replicas: Vec<MinBft<Command, Counter>>,
    queue: VecDeque<(u64, Message)>,
    /// Commands that the primary answered.
    answered: usize,
}

impl Group {
    fn new(batch: usize) -> Result<Self> {
        let mut group = Group { replicas: Vec::new(), queue: VecDeque::new(), answered: 0 };
        let mut hellos = Vec::new();
        for id in 0..REPLICAS {
            let key = SigningKey::generate(&mut OsRng);
            let public = key.verifying_key();
            let config = Config {
                n: NonZeroU64::new(REPLICAS).context("n")?,
                t: 1,
                id: ReplicaId::from_u64(id),
                batch_timeout: Duration::from_secs(3600),
                max_batch_size: NonZeroUsize::new(batch),
                initial_timeout_duration: Duration::from_secs(3600),
                checkpoint_period: NonZeroU64::new(100).context("period")?,
            };
            let (replica, output) = MinBft::new(Counter::new(key, public), config)?;
            group.replicas.push(replica);
            hellos.push((id, output));
        }
        for (id, output) in hellos {
            group.take(id, output)?;
        }
        group.settle()?;
        Ok(group)
    }

    fn take(&mut self, from: u64, output: Output<Command, Counter>) -> Result<()> {
        if let Some(error) = output.errors.first() {
            bail!("replica {from}: {error}");
        }
        if from == 0 {
            self.answered += output.responses.len();
        }
        for message in output.broadcasts.iter() {
            self.queue.push_back((from, message.clone()));
        }
        Ok(())
    }

    /// Hands over messages until there are none.
    fn settle(&mut self) -> Result<()> {
        while let Some((from, message)) = self.queue.pop_front() {
            for to in (0..REPLICAS).filter(|to| *to != from) {
                let output = self.replicas[to as usize].handle_peer_message(ReplicaId::from_u64(from), message.clone());
                self.take(to, output)?;
            }
        }
        Ok(())
    }

    fn submit(&mut self, command: &Command) -> Result<()> {
        for to in (0..REPLICAS).rev() {
            let output = self.replicas[to as usize].handle_client_message(ClientId::from_u64(0), command.clone());
            self.take(to, output)?;
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|a| a.parse().context("a number")).collect::<Result<_>>()?;
    let [commands, batch, bytes] = numbers[..] else { bail!("usage: minbft-bench COMMANDS BATCH BYTES") };
    let mut group = Group::new(batch)?;
    let mut latencies = Vec::new();
    let start = Instant::now();
    let mut number = 0;
    while (number as usize) < commands {
        let begun = Instant::now();
        for _ in 0..batch {
            group.submit(&Command { number, content: vec![7; bytes] })?;
            number += 1;
        }
        group.settle()?;
        latencies.push(begun.elapsed().as_micros());
    }
    let elapsed = start.elapsed().as_micros();
    if group.answered != number as usize {
        bail!("{} of {number} commands were answered", group.answered);
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!("{{\"commands\":{number},\"micros\":{elapsed},\"p50\":{},\"p99\":{}}}", at(0.5), at(0.99));
    Ok(())
}
