import asyncio

from abops.alerts.service.ending import end_tasks


async def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    lost = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost.append(True)

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await end_tasks([task])
    assert [True] == lost
    assert task.cancelled()


async def test_tasks_that_have_ended_are_left_alone() -> None:
    async def done() -> None:
        return

    task = asyncio.create_task(done())
    await task
    await end_tasks([task])
    assert not task.cancelled()
