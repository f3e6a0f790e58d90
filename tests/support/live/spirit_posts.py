"""Runs inside a Spirit project: reads posts as lines of JSON from standard input, writes them, answers each.

``{"topic": "title", "author": "name", "text": "…", "at": seconds since 1970}``; an unknown topic is opened. Printed is
the number of the topic.
"""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", sys.argv[1])
sys.path.insert(0, str(Path.cwd()))

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from spirit.category.models import Category  # noqa: E402
from spirit.comment.models import Comment  # noqa: E402
from spirit.core.utils.markdown import Markdown  # noqa: E402
from spirit.topic.models import Topic  # noqa: E402


def write(post):
    """One post; the number of its topic."""
    when = datetime.fromtimestamp(post["at"], UTC)
    name = post["author"]
    people = get_user_model().objects
    user = people.filter(username__iexact=name).first() or people.create(
        username=name, email=f"{abs(hash(name))}@example.org"
    )
    category, _ = Category.objects.get_or_create(title="Kundenforum", defaults={"slug": "kundenforum"})
    topic = Topic.objects.filter(title=post["topic"]).first() or Topic.objects.create(
        user=user, category=category, title=post["topic"], date=when, last_active=when
    )
    comment = Comment.objects.create(
        user=user, topic=topic, comment=post["text"], comment_html=Markdown().render(post["text"])
    )
    Comment.objects.filter(pk=comment.pk).update(date=when)
    Topic.objects.filter(pk=topic.pk).update(last_active=when, comment_count=topic.comment_set.count())
    return topic.pk


print("ready", flush=True)
for line in sys.stdin:
    print(write(json.loads(line)), flush=True)
