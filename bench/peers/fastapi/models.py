"""One class for the table and what is read from it, others for what is sent, as SQLModel's tutorial has it."""

from datetime import datetime, timezone
from enum import Enum
from uuid import UUID, uuid4

from sqlalchemy import DateTime, String
from sqlmodel import Field, SQLModel


def now() -> datetime:
    return datetime.now(timezone.utc)


class Status(str, Enum):
    todo = "Todo"
    in_progress = "InProgress"
    done = "Done"


class TaskBase(SQLModel):
    title: str = Field(min_length=1, max_length=255)
    description: str | None = Field(default=None, max_length=10_000)
    status: Status = Field(default=Status.todo, sa_type=String)


class Task(TaskBase, table=True):
    __tablename__ = "tasks"
    __table_args__ = {"schema": "docket"}

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    owner_id: str = Field(primary_key=True)
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class TaskPublic(TaskBase):
    id: UUID
    owner_id: str
    created_at: datetime
    updated_at: datetime


class TaskCreate(TaskBase):
    pass


class TaskUpdate(SQLModel):
    title: str | None = Field(default=None, min_length=1, max_length=255)
    description: str | None = Field(default=None, max_length=10_000)
    status: Status | None = None
