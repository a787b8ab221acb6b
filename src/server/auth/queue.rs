//! A fair queue for the one password that is checked at a time: peers take turns, first come first
//! served within a peer. Those whose last password was wrong wait until no other does, so that clients
//! that guess, even from hundreds of addresses, delay only themselves and others at these.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// How many clients may wait. Each holds a connection, and some must be left for the clients whose
/// password is remembered.
const WAITING: usize = 64;

/// How many peers with a wrong password are remembered.
const GUESSERS: usize = 1024;

/// A peer: an IPv4 address, or the /64 network of an IPv6 address, which one customer owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Peer(IpAddr);

impl Peer {
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from(network))
            }
            v4 => v4,
        })
    }
}

#[derive(Default, Debug)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default, Debug)]
struct State {
    busy: bool,
    /// The next peer in front; each has at least one client waiting.
    peers: VecDeque<Line>,
    /// Peers whose last password was wrong, the oldest in front.
    guessers: VecDeque<Peer>,
}

/// The clients of one peer that wait.
#[derive(Debug)]
struct Line {
    peer: Peer,
    /// Whether it is one of `guessers`, which are too many to be searched for each peer.
    has_guessed: bool,
    clients: VecDeque<oneshot::Sender<Turn>>,
}

/// The permission to check a password, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Option<Arc<Queue>>);

impl Turn {
    /// Notes whether the password of this peer was right.
    pub(super) fn used(&self, peer: Peer, is_right: bool) {
        if let Some(queue) = &self.0 {
            queue.0.lock().note(peer, is_right);
        }
    }
}

impl Queue {
    /// Waits for a turn. `None` if the queue is full, and no other peer has more clients in it or has
    /// guessed.
    pub(super) async fn turn(self: &Arc<Self>, peer: Peer) -> Option<Turn> {
        let waiting = {
            let mut state = self.0.lock();
            if !state.busy {
                state.busy = true;
                return Some(Turn(Some(Arc::clone(self))));
            }
            state.join(peer)?
        };
        waiting.await.ok()
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.peers.iter().map(|line| line.clients.len()).sum()
    }

    fn note(&mut self, peer: Peer, is_right: bool) {
        self.guessers.retain(|known| *known != peer);
        if !is_right {
            self.guessers.push_back(peer);
        }
        if self.guessers.len() > GUESSERS {
            self.guessers.pop_front();
        }
        if let Some(line) = self.peers.iter_mut().find(|line| line.peer == peer) {
            line.has_guessed = !is_right;
        }
    }

    /// Joins the queue; if it is full, in place of the newest client of the peer with the most, and of
    /// one that has guessed before others.
    fn join(&mut self, peer: Peer) -> Option<oneshot::Receiver<Turn>> {
        if self.waiting() >= WAITING {
            // Some may have left.
            for line in &mut self.peers {
                line.clients.retain(|client| !client.is_closed());
            }
            self.peers.retain(|line| !line.clients.is_empty());
        }
        let has_guessed = self.guessers.contains(&peer);
        if self.waiting() >= WAITING {
            let own = self.peers.iter().find(|line| line.peer == peer);
            let own = own.map_or(0, |line| line.clients.len());
            let rank = |line: &Line| (line.has_guessed, line.clients.len());
            let lines = self.peers.iter_mut().enumerate();
            let (place, longest) = lines.max_by_key(|(_, line)| rank(line))?;
            if rank(longest) <= (has_guessed, own + 1) {
                return None;
            }
            longest.clients.pop_back();
            if longest.clients.is_empty() {
                self.peers.remove(place);
            }
        }
        let (sender, receiver) = oneshot::channel();
        match self.peers.iter_mut().find(|line| line.peer == peer) {
            Some(line) => line.clients.push_back(sender),
            None => self.peers.push_back(Line {
                peer,
                has_guessed,
                clients: [sender].into(),
            }),
        }
        Some(receiver)
    }

    /// The client whose turn is next.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let first = self.peers.iter().position(|line| !line.has_guessed);
        let mut line = self.peers.remove(first.unwrap_or(0))?;
        let next = line.clients.pop_front();
        if !line.clients.is_empty() {
            self.peers.push_back(line);
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(queue) = self.0.take() else {
            return;
        };
        loop {
            let mut state = queue.0.lock();
            let Some(next) = state.next() else {
                state.busy = false;
                return;
            };
            drop(state);
            match next.send(Self(Some(Arc::clone(&queue)))) {
                Ok(()) => return,
                // That client has left: the turn goes to the next one.
                Err(mut unused) => unused.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn peer(last: u8) -> Peer {
        Peer::of(IpAddr::from([192, 0, 2, last]))
    }

    /// Starts a client that waits for a turn, records its name and ends.
    async fn wait(queue: &Arc<Queue>, last: u8, name: &'static str, said: &Said) {
        let (queue, said) = (Arc::clone(queue), Arc::clone(said));
        tokio::spawn(async move {
            let turn = queue.turn(peer(last)).await;
            let name = if turn.is_some() { name } else { "refused" };
            said.lock().push(name);
        });
        settle().await;
    }

    type Said = Arc<Mutex<Vec<&'static str>>>;

    async fn settle() {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn peers_take_turns() {
        let (queue, said) = (Arc::<Queue>::default(), Said::default());
        let held = queue.turn(peer(9)).await.unwrap();
        for name in ["a1", "a2", "a3"] {
            wait(&queue, 1, name, &said).await;
        }
        wait(&queue, 2, "b1", &said).await;
        wait(&queue, 3, "c1", &said).await;
        wait(&queue, 2, "b2", &said).await;
        drop(held);
        settle().await;
        assert_eq!(*said.lock(), ["a1", "b1", "c1", "a2", "b2", "a3"]);
        assert!(!queue.0.lock().busy);
    }

    #[tokio::test]
    async fn a_full_queue_has_room_for_another_peer() {
        let (queue, said) = (Arc::<Queue>::default(), Said::default());
        let held = queue.turn(peer(1)).await.unwrap();
        for _ in 0..WAITING {
            wait(&queue, 1, "guess", &said).await;
        }
        wait(&queue, 1, "guess", &said).await;
        assert_eq!(*said.lock(), ["refused"], "it has a queue already");
        wait(&queue, 2, "right", &said).await;
        assert_eq!(*said.lock(), ["refused"; 2], "the newest guess");
        assert_eq!(queue.0.lock().waiting(), WAITING);
        drop(held);
        settle().await;
        let said = said.lock();
        assert_eq!(said[3], "right", "{said:?}");
        assert_eq!(said.len(), WAITING + 2);
    }

    #[tokio::test]
    async fn a_peer_that_has_guessed_waits_behind_others() {
        let (queue, said) = (Arc::<Queue>::default(), Said::default());
        let held = queue.turn(peer(255)).await.unwrap();
        for guesser in 1..=100 {
            held.used(peer(guesser), false);
        }
        for guesser in 1..=64 {
            wait(&queue, guesser, "guess", &said).await;
        }
        wait(&queue, 65, "guess", &said).await;
        assert_eq!(*said.lock(), ["refused"], "another one");
        wait(&queue, 200, "right", &said).await;
        assert_eq!(*said.lock(), ["refused"; 2], "one of those before");
        assert_eq!(queue.0.lock().waiting(), WAITING);
        // A right password makes up for wrong ones.
        held.used(peer(66), true);
        wait(&queue, 66, "right", &said).await;
        drop(held);
        settle().await;
        let said = said.lock().clone();
        assert_eq!(said[3..5], ["right"; 2], "{said:?}");
        assert_eq!(said.len(), WAITING + 3);
        for guesser in 0..=255 {
            queue
                .turn(peer(guesser))
                .await
                .unwrap()
                .used(peer(guesser), false);
        }
        assert!(queue.0.lock().guessers.len() <= GUESSERS);
    }

    #[tokio::test]
    async fn clients_that_leave_hold_no_place_and_no_turn() {
        let queue = Arc::<Queue>::default();
        let held = queue.turn(peer(1)).await.unwrap();
        for round in 0..10 {
            let mut leaving = Vec::new();
            for _ in 0..WAITING {
                let queue = Arc::clone(&queue);
                leaving.push(tokio::spawn(async move { queue.turn(peer(2)).await }));
            }
            settle().await;
            assert_eq!(queue.0.lock().waiting(), WAITING, "{round}");
            leaving.iter().for_each(tokio::task::JoinHandle::abort);
            settle().await;
        }
        drop(held);
        assert!(!queue.0.lock().busy);
        assert!(queue.turn(peer(1)).await.is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer() {
        let peer = |text: &str| Peer::of(text.parse().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:2"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }
}
