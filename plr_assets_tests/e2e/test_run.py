from plr_assets_tests.e2e.lab import *
def test_t(finished, tmp_path):
    import time
    t=time.time(); o=finished.run(); print("second", time.time()-t, {k:(v.computed,v.reused,v.failed,v.blocked) for k,v in o.items()})
    t=time.time(); finished.copy(tmp_path/"x"); print("copy", time.time()-t)
def test_f(fresh):
    import time
    t=time.time(); o=fresh.run(only=NOT_FIGURES); print("fresh nofig", time.time()-t)
    from plr_assets.platform.leaderboard import leaderboard
    print(leaderboard(fresh.study()))
