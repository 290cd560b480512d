"""The form of the tutorials: plain functions, which FastAPI runs in its thread pool, and psycopg."""

import os
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlmodel import Session, col, create_engine, select

from models import Task, TaskCreate, TaskPublic, TaskUpdate, now
from signed_in import subject

engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"),
    pool_size=int(os.environ["POOL_SIZE"]),
    max_overflow=0,
)
app = FastAPI()


def get_session():
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]
Caller = Annotated[str, Depends(subject)]


def own_task(session: Session, caller: str, id: UUID) -> Task:
    task = session.exec(select(Task).where(Task.id == id, Task.owner_id == caller)).first()
    if task is None:
        raise HTTPException(status_code=404, detail="Task not found")
    return task


@app.get("/health")
def health() -> str:
    return "ok"


@app.get("/tasks", response_model=list[TaskPublic])
def list_tasks(
    session: SessionDep,
    caller: Caller,
    skip: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
):
    newest = select(Task).where(Task.owner_id == caller).order_by(col(Task.created_at).desc(), col(Task.id).desc())
    return session.exec(newest.offset(skip).limit(limit)).all()


@app.get("/tasks/{id}", response_model=TaskPublic)
def get_task(id: UUID, session: SessionDep, caller: Caller):
    return own_task(session, caller, id)


@app.post("/tasks", response_model=TaskPublic, status_code=201)
def create_task(task: TaskCreate, session: SessionDep, caller: Caller):
    new = Task.model_validate(task, update={"owner_id": caller})
    session.add(new)
    session.commit()
    session.refresh(new)
    return new


@app.patch("/tasks/{id}", response_model=TaskPublic)
def patch_task(id: UUID, patch: TaskUpdate, session: SessionDep, caller: Caller):
    task = own_task(session, caller, id)
    task.sqlmodel_update(patch.model_dump(exclude_unset=True), update={"updated_at": now()})
    session.add(task)
    session.commit()
    session.refresh(task)
    return task
