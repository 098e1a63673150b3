use futures_util::FutureExt;
use tokio::time::{advance, sleep};

use super::*;
use once_app::Caller;
use once_app::proxy::{Lease, LeaseEnd};

fn shop() -> AppName {
    "shop".parse().unwrap()
}

fn wants(op: &str, wait_ms: u64) -> LockRequest {
    LockRequest { app: shop(), op: OpId(op.to_owned()), by: Caller::default(), wait_ms, part_of: None }
}

fn manual() -> LockView {
    LockView { app: shop(), by: Caller::default(), since: Timestamp::UNIX_EPOCH, op: None, message: None }
}

#[tokio::test]
async fn first_come_first_served() {
    let locks = Arc::new(Locks::new(1));
    let holder = locks.acquire(wants("a0", 0), None).await.unwrap();
    let mut waiting: Vec<_> = (1..=4)
        .map(|n| {
            let locks = locks.clone();
            Box::pin(async move { locks.acquire(wants(&format!("a{n}"), 60_000), None).await })
        })
        .collect();
    for waiter in &mut waiting {
        assert!(waiter.now_or_never().is_none(), "in the queue");
    }
    drop(waiting.remove(1));
    let mut fence = holder.fence();
    drop(holder);
    for n in 0..3 {
        for later in &mut waiting[n + 1..] {
            assert!(later.now_or_never().is_none(), "not its turn");
        }
        let lease = (&mut waiting[n]).await.unwrap();
        assert!(lease.fence() > fence);
        fence = lease.fence();
    }
    assert!(locks.state().apps.is_empty(), "nothing is kept of a lock nobody wants");
}

#[tokio::test(start_paused = true)]
async fn a_wait_has_an_end() {
    let locks = Arc::new(Locks::new(1));
    let _holder = locks.acquire(wants("a0", 0), None).await.unwrap();
    let began = Instant::now();
    assert!(matches!(locks.acquire(wants("a1", 1500), None).await, Err(ProxyError::Locked { .. })));
    assert_eq!(began.elapsed().as_millis(), 1500);
    assert_eq!(locks.state().apps[&shop()].queue.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_pings_a_lock_runs_out() {
    let locks = Arc::new(Locks::new(1));
    let expiry = Some(Duration::from_secs(30));
    let lease = locks.acquire(wants("a0", 0), expiry).await.unwrap();
    for _ in 0..20 {
        sleep(Duration::from_secs(5)).await;
        assert!(locks.ping(&shop(), lease.fence()));
    }
    let next = locks.clone();
    let next = tokio::spawn(async move { next.acquire(wants("a1", 600_000), None).await.unwrap() });
    advance(Duration::from_millis(29_900)).await;
    assert!(lease.ended().now_or_never().is_none());
    let last_ping = Instant::now();
    assert_eq!(lease.ended().await, LeaseEnd::Lost);
    assert!(last_ping.elapsed() < Duration::from_millis(200));
    assert!(!locks.ping(&shop(), lease.fence()));
    let next = next.await.unwrap();
    drop(lease);
    assert!(locks.is_held(&shop(), next.fence()), "the end of a lost lease frees nobody else's");
}

#[tokio::test(start_paused = true)]
async fn a_lock_on_purpose_outlasts_leases() {
    let locks = Arc::new(Locks::new(1));
    let lease = locks.acquire(wants("a0", 0), None).await.unwrap();
    locks.set_manual(&shop(), Some(manual()));
    assert!(locks.is_held(&shop(), lease.fence()), "who has it keeps it");
    assert_eq!(locks.all().len(), 2);
    drop(lease);
    let waiter = locks.clone();
    let waiter = tokio::spawn(async move { waiter.acquire(wants("a1", 60_000), None).await });
    sleep(Duration::from_secs(1)).await;
    assert_eq!(locks.holder(&shop()), Some(manual()));
    locks.set_manual(&shop(), None);
    assert!(waiter.await.unwrap().is_ok());
}

#[tokio::test]
async fn later_starts_give_higher_fences() {
    let before = Arc::new(Locks::new(7)).acquire(wants("a0", 0), None).await.unwrap();
    let after = Arc::new(Locks::new(8)).acquire(wants("a0", 0), None).await.unwrap();
    assert!(after.fence() > before.fence());
}

#[tokio::test]
async fn a_cancelled_change_may_still_finish() {
    let locks = Arc::new(Locks::new(1));
    let lease = locks.acquire(wants("a0", 0), None).await.unwrap();
    assert!(!locks.cancel(&OpId("a9".to_owned())));
    assert!(locks.cancel(&OpId("a0".to_owned())));
    assert_eq!(lease.ended().await, LeaseEnd::CancelRequested);
    assert!(locks.is_held(&shop(), lease.fence()));
    locks.lose(&shop(), lease.fence());
    assert_eq!(lease.ended().await, LeaseEnd::Lost, "worse news replace it");
}

fn part_of(op: &str, token: Option<Secret>) -> LockRequest {
    LockRequest { part_of: token, ..wants(op, 0) }
}

#[tokio::test]
async fn a_part_of_a_change_shares_its_lock_and_never_frees_it() {
    let locks = Arc::new(Locks::new(1));
    let holder = locks.acquire(wants("deploy", 0), None).await.unwrap();
    let token = holder.token();
    let part = locks.acquire(part_of("hook", token.clone()), None).await.unwrap();
    assert_eq!((part.fence(), part.is_shared()), (holder.fence(), true));
    // Without the token, with another, or with an empty one it is somebody else's.
    for wrong in [None, Some(Secret::new("0".repeat(32))), Some(Secret::new(String::new()))] {
        assert!(locks.acquire(part_of("other", wrong), None).await.is_err());
    }
    drop(part);
    assert!(locks.acquire(wants("other", 0), None).await.is_err(), "the deploy goes on");
    // It ends with the change it is a part of, and the token with it.
    let part = locks.acquire(part_of("hook", token.clone()), None).await.unwrap();
    drop(holder);
    assert_eq!(part.ended().now_or_never(), Some(LeaseEnd::Lost));
    let next = locks.acquire(wants("next", 0), None).await.unwrap();
    assert!(locks.acquire(part_of("hook", token), None).await.is_err());
    drop(part);
    assert!(locks.is_held(&shop(), next.fence()), "what is over frees nothing");
}

#[tokio::test]
async fn a_lock_taken_away_is_lost_for_its_holder_and_free_for_the_next() {
    let locks = Arc::new(Locks::new(1));
    assert_eq!(locks.take_away(&shop()), None);
    let holder = locks.acquire(wants("stuck", 0), None).await.unwrap();
    assert_eq!(locks.take_away(&shop()).and_then(|lock| lock.op), Some(OpId("stuck".into())));
    assert_eq!(holder.ended().now_or_never(), Some(LeaseEnd::Lost));
    let next = locks.acquire(wants("next", 0), None).await.unwrap();
    drop(holder);
    assert!(locks.is_held(&shop(), next.fence()));
}
