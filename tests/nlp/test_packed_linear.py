"""Linear layers by oneDNN give what torch's own give."""

from __future__ import annotations

import pytest
import torch

from nlp_tasks.encoders import packed_linear


@pytest.mark.skipif(not packed_linear.available(), reason="this build of torch has no oneDNN")
def test_a_packed_bert_gives_the_hidden_states_of_torch_and_has_no_other_linear_layer() -> None:
    transformers = pytest.importorskip("transformers")
    for activation in ("gelu", "relu", "gelu_new"):
        config = transformers.BertConfig(
            vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            hidden_act=activation, initializer_range=0.6,
        )  # fmt: skip
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(7)
            model = transformers.BertModel(config, add_pooling_layer=False).eval()
            ids = torch.randint(1, 30, (3, 9))
            mask = (torch.arange(9) < torch.tensor([[9], [4], [1]])).long()
            expected = model(input_ids=ids, attention_mask=mask).last_hidden_state
            packed_linear.pack(model)
            found = model(input_ids=ids, attention_mask=mask).last_hidden_state
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        assert not [each for each in model.modules() if isinstance(each, torch.nn.Linear)]


@pytest.mark.skipif(not packed_linear.available(), reason="this build of torch has no oneDNN")
def test_a_packed_layer_takes_any_number_of_rows_and_needs_no_bias() -> None:
    for bias in (True, False):
        layer = torch.nn.Linear(5, 7, bias=bias)
        for shape in ((1, 5), (2, 3, 5), (2000, 5)):
            rows = torch.randn(shape)
            with torch.inference_mode():
                torch.testing.assert_close(
                    packed_linear.PackedLinear(layer)(rows), layer(rows), atol=1e-5, rtol=1e-5
                )


@pytest.mark.skipif(not packed_linear.available(), reason="this build of torch has no oneDNN")
@pytest.mark.parametrize("feed_forward", ["relu", "gated-gelu"])
def test_a_packed_t5_which_reads_the_type_of_its_weights_gives_the_hidden_states_of_torch(
    feed_forward: str,
) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, feed_forward_proj=feed_forward
    )
    model = transformers.T5EncoderModel(config).eval()
    ids = torch.arange(1, 13).reshape(2, 6)
    with torch.inference_mode():
        expected = model(input_ids=ids).last_hidden_state
        packed_linear.pack(model)
        torch.testing.assert_close(model(input_ids=ids).last_hidden_state, expected, atol=1e-5, rtol=1e-5)
