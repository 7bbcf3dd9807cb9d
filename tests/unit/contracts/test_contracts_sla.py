"""Valid SLAs, and the answers to wrong ones."""

import json

import pytest

from flops_contracts.sla import DataSplit, Flavor, Mode, Platform, PostTrainingStep
from flops_contracts.sla_documents import InvalidSlaError, read_mock_sla, read_project_sla

SMALLEST = {"customerID": "Admin", "ml_repo_url": "https://host/repo", "ml_model_flavor": "sklearn"}


def problems_of(read, document):
    with pytest.raises(InvalidSlaError) as caught:
        read(document)
    return caught.value.problems


def test_the_smallest_project_sla_has_todays_defaults():
    sla = read_project_sla(json.dumps(SMALLEST))

    assert (sla.customer_id, sla.ml_model_flavor) == ("Admin", Flavor.SKLEARN)
    assert sla.supported_platforms == (Platform.LINUX_AMD64,)
    assert sla.training_configuration.mode is Mode.CLASSIC
    assert sla.training_configuration.training_rounds == 3
    assert (sla.learners, sla.data_split, sla.post_training_steps) == (1, DataSplit.EXCLUSIVE, ())


def test_as_many_learners_start_as_the_minima_need():
    training = {"min_available_clients": 2, "min_fit_clients": 3}

    sla = read_project_sla({**SMALLEST, "training_configuration": training})

    assert sla.learners == 3


def test_in_hierarchical_mode_each_cluster_starts_as_many_learners_as_its_minima_need():
    training = {"mode": "hierarchical", "min_fit_clients": 3}

    sla = read_project_sla({**SMALLEST, "training_configuration": training})

    assert (sla.learners, sla.training_configuration.min_clusters) == (3, 1)


@pytest.mark.parametrize("mode", Mode)
def test_fewer_learners_than_the_minima_need_are_refused(mode):
    training = {"mode": mode, "min_fit_clients": 3}
    document = {**SMALLEST, "training_configuration": training, "learners": 2}

    assert "learners" in problems_of(read_project_sla, document)


def test_a_whole_project_sla_is_read():
    sla = read_project_sla(
        {
            **SMALLEST,
            "verbose": True,
            "use_devel_base_images": False,
            "supported_platforms": ["linux/amd64", "linux/arm64"],
            "training_configuration": {
                "mode": "hierarchical",
                "data_tags": ["mnist", "v1.0"],
                "training_cycles": 2,
                "training_rounds": 5,
                "min_available_clients": 2,
                "min_fit_clients": 2,
                "min_evaluate_clients": 1,
            },
            "post_training_steps": [
                "build_image_for_trained_model",
                "deploy_trained_model_image",
            ],
            "resource_constraints": {"memory": 500, "vcpus": 1, "storage": 0},
        }
    )

    assert sla.training_configuration.data_tags == ("mnist", "v1.0")
    assert sla.post_training_steps == (PostTrainingStep.BUILD, PostTrainingStep.DEPLOY)
    assert (sla.resource_constraints.memory, sla.resource_constraints.vcpus) == (500, 1)


def test_every_problem_is_reported_at_once_with_its_path():
    document = {
        "ml_repo_url": "",
        "ml_model_flavor": "sklaern",
        "training_configuration": {"data_tags": ["ok", "../etc"], "training_rounds": 0},
        "supported_platforms": [],
    }

    problems = problems_of(read_project_sla, document)

    assert set(problems) == {
        "customerID",
        "ml_repo_url",
        "ml_model_flavor",
        "training_configuration.data_tags[1]",
        "training_configuration.training_rounds",
        "supported_platforms",
    }


@pytest.mark.parametrize(
    ("document", "path", "hint"),
    [
        ({**SMALLEST, "ml_repo_uri": "x"}, "ml_repo_uri", "ml_repo_url"),
        (
            {**SMALLEST, "training_configuration": {"training_round": 3}},
            "training_configuration.training_round",
            "training_rounds",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(document, path, hint):
    problems = problems_of(read_project_sla, document)

    assert f"Did you mean '{hint}'?" in problems[path][0]


def test_comments_with_percent_signs_are_refused_with_the_reason():
    text = '{\n  "customerID": "Admin", % who asks\n  "ml_repo_url": "x"\n}'

    (problem,) = problems_of(read_project_sla, text)["(document)"]

    assert "JSON knows no comments" in problem


@pytest.mark.parametrize("document", ["", "[]", "null", "3", b"\xff", '{"a": '])
def test_a_document_that_is_not_an_object_is_refused(document):
    assert "(document)" in problems_of(read_project_sla, document)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"post_training_steps": ["deploy_trained_model_image"]}, "post_training_steps"),
        ({"learners": 1, "training_configuration": {"min_fit_clients": 2}}, "learners"),
        ({"privacy": {"magic": {}}}, "privacy.magic"),
        ({"strategy": {"name": "FedSomething"}}, "strategy.name"),
        ({"strategy": {"name": "FedProx", "parameters": {"mu": 1}}}, "strategy.parameters"),
    ],
)
def test_what_contradicts_itself_is_refused(changes, path):
    assert set(problems_of(read_project_sla, {**SMALLEST, **changes})) == {path}


@pytest.mark.parametrize(
    "url", ["https://user:secret@host/repo", "https://token@host/repo", "ssh://git:secret@host/r"]
)
def test_a_url_with_credentials_is_refused_and_not_repeated(url):
    problems = problems_of(read_project_sla, {**SMALLEST, "ml_repo_url": url})

    assert set(problems) == {"ml_repo_url"}
    assert "secret" not in str(problems)


@pytest.mark.parametrize(
    "url", ["git@host:owner/repo.git", "ssh://git@host/repo", "https://[", "file:///r"]
)
def test_the_usual_ways_to_name_a_repository_are_accepted(url):
    assert read_project_sla({**SMALLEST, "ml_repo_url": url}).ml_repo_url == url


def test_a_mock_sla_is_read_with_its_defaults():
    configuration = {"dataset_name": "mnist", "number_of_partitions": 3, "data_tag": "mnist"}

    sla = read_mock_sla({"customerID": "Admin", "mock_data_configuration": configuration})

    assert sla.mock_data_configuration.number_of_partitions == 3
    assert sla.mock_data_configuration.split == "train"
    assert sla.mock_data_configuration.partitioner.name == "IidPartitioner"


@pytest.mark.parametrize("tag", ["../x", "", ".hidden", "a/b", "a\n", "x" * 101])
def test_a_data_tag_never_becomes_a_path(tag):
    configuration = {"dataset_name": "mnist", "data_tag": tag}
    document = {"customerID": "Admin", "mock_data_configuration": configuration}

    assert set(problems_of(read_mock_sla, document)) == {"mock_data_configuration.data_tag"}


def test_a_cycle_may_take_as_long_as_all_its_rounds():
    training = {"mode": "hierarchical", "training_rounds": 3}

    sla = read_project_sla(
        {**SMALLEST, "training_configuration": training, "round_timeout_seconds": 100}
    )

    assert sla.cycle_timeout_seconds == 3 * 2 * (100 + 60)


def a_mock(**changes):
    configuration = {"dataset_name": "mnist", "data_tag": "mnist", **changes}
    return {"customerID": "Admin", "mock_data_configuration": configuration}


@pytest.mark.parametrize(
    ("partitioner", "path", "problem"),
    [
        ({"name": "dirichlet"}, "name", "Did you mean 'DirichletPartitioner'?"),
        ({"name": "Shards"}, "name", "Did you mean 'ShardPartitioner'?"),
        ({"name": "x"}, "name", "There are: ContinuousPartitioner, DirichletPartitioner"),
        (
            {"name": "DirichletPartitioner", "parameters": {"partition_by": "label"}},
            "parameters.alpha",
            "needs it: a number greater than 0",
        ),
        (
            {"name": "DirichletPartitioner", "parameters": {"partition_by": "label", "alpha": -1}},
            "parameters.alpha",
            "Must be a number greater than 0",
        ),
        (
            {"name": "ShardPartitioner", "parameters": {"partition_by": "label"}},
            "parameters.num_shards_per_partition",
            "num_shards_per_partition or shard_size",
        ),
        (
            {"name": "IidPartitioner", "parameters": {"alpha": 1}},
            "parameters.alpha",
            "IidPartitioner takes no parameters",
        ),
        (
            {"name": "IidPartitioner", "parameters": {"num_partitions": 3}},
            "parameters.num_partitions",
            "own key number_of_partitions",
        ),
        (
            {"name": "SizePartitioner", "parameters": {"partition_sizes": [3, 0]}},
            "parameters.partition_sizes",
            "at least 1 each",
        ),
        (
            {"name": "VerticalEvenPartitioner", "parameters": {"active_party_columns_mode": []}},
            "parameters.active_party_columns_mode",
            "Must be one of",
        ),
        (
            {
                "name": "PathologicalPartitioner",
                "parameters": {
                    "partition_by": "label",
                    "num_classes_per_partition": 2,
                    "class_assignment_mode": {},
                },
            },
            "parameters.class_assignment_mode",
            "Must be one of",
        ),
    ],
)
def test_a_wrong_partitioner_is_refused_before_anything_is_deployed(partitioner, path, problem):
    problems = problems_of(read_mock_sla, a_mock(partitioner=partitioner))

    (text,) = problems[f"mock_data_configuration.partitioner.{path}"]
    assert problem in text


def test_more_nodes_than_partitions_are_refused_where_the_partitions_are_counted():
    natural = {"name": "NaturalIdPartitioner", "parameters": {"partition_by": "device"}}

    problems = problems_of(read_mock_sla, a_mock(nodes=2))

    assert set(problems) == {"mock_data_configuration.nodes"}
    assert read_mock_sla(a_mock(nodes=2, partitioner=natural)).mock_data_configuration.nodes == 2
