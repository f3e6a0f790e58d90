"""A living board of one forum: threads of posts, ten on a page, lists of five, in whatever markup a test gives it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

Post = tuple[int, datetime, str]


@dataclass
class LivingBoard:
    """``render_list(rows, next page)`` and ``render_thread(thread, posts, page, pages)`` make the markup;
    ``route(url)`` says what is asked: ("list", page), ("thread", thread, page), ("post", number) or ("last", thread).
    """

    render_list: Callable[[list[tuple[int, list[Post]]], int | None], str]
    render_thread: Callable[[int, list[Post], int, int], str]
    route: Callable[[str], tuple[str, ...]]
    threads: dict[int, list[Post]] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    next_post: int = 1

    def post(self, thread: int, at: datetime) -> int:
        number, self.next_post = self.next_post, self.next_post + 1
        self.threads.setdefault(thread, []).append((number, at, f"Beitrag {number}"))
        return number

    def __call__(self, url: str) -> bytes | int:
        kind, *numbers = self.route(url)
        asked = [int(number) for number in numbers]
        if kind == "list":
            return self._list(asked[0]).encode()
        thread = asked[0] if kind != "post" else self._thread_of(asked[0])
        if thread not in self.threads:
            return 404
        if thread in self.closed:
            return 403
        posts = self.threads[thread]
        pages = (len(posts) + 9) // 10
        page = {"thread": asked[-1], "last": pages, "post": 1}[kind]
        if kind == "post":
            page = next(index for index, (number, _, _) in enumerate(posts) if number == asked[0]) // 10 + 1
        return self.render_thread(thread, posts[(page - 1) * 10 : page * 10], page, pages).encode()

    def _thread_of(self, number: int) -> int:
        return next((t for t, posts in self.threads.items() if any(n == number for n, _, _ in posts)), 0)

    def _list(self, page: int) -> str:
        by_age = sorted(self.threads, key=lambda thread: self.threads[thread][-1][1], reverse=True)
        shown = by_age[(page - 1) * 5 : page * 5]
        return self.render_list([(t, self.threads[t]) for t in shown], page + 1 if by_age[page * 5 :] else None)


def fill(board: LivingBoard, posts: dict[int, int], until: datetime, step: object) -> LivingBoard:
    """Threads with so many posts each, one per ``step``, the last one ``step`` before ``until``."""
    count = sum(posts.values())
    for thread, number in posts.items():
        for _ in range(number):
            board.post(thread, until - count * step)  # type: ignore[operator]
            count -= 1
    return board
