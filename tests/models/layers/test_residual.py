import pytest
import torch
from torch import nn

from pipeline.models.layers.residual import BLOCKS, DepthwiseBlock, PatchMerging, ResidualBlock, patches


def test_a_patch_holds_its_pixels_row_by_row() -> None:
    image = torch.arange(8.0).view(1, 1, 2, 4)  # 0 1 2 3 over 4 5 6 7
    assert patches(image, 2, 2).tolist() == [[[[0, 1, 4, 5], [2, 3, 6, 7]]]]
    assert patches(image, 2, 1).tolist() == [[[[0, 4], [1, 5], [2, 6], [3, 7]]]]
    two = torch.stack((image, image + 10), dim=1).squeeze(2)
    assert patches(two, 1, 2)[0, 1].tolist() == [[4, 14, 5, 15], [6, 16, 7, 17]]


def test_missing_rows_and_columns_are_zeros() -> None:
    image = torch.arange(1.0, 10).view(1, 1, 3, 3)
    assert patches(image, 2, 2).tolist() == [[[[1, 2, 4, 5], [3, 0, 6, 0]], [[7, 8, 0, 0], [9, 0, 0, 0]]]]


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 1), (4, 2)])
@torch.no_grad()
def test_merging_is_a_strided_convolution(height: int, width: int) -> None:
    torch.manual_seed(0)
    merging = PatchMerging(3, 5, height, width).double().eval()
    images = torch.randn(2, 3, 7, 8).double()
    weight = merging.linear.weight.view(5, height, width, 3).permute(0, 3, 1, 2)
    padded = nn.functional.pad(images, (0, 0, 0, -7 % height))
    expected = nn.functional.conv2d(padded, weight, stride=(height, width))
    expected = merging.norm(expected).relu()
    assert merging(images).shape == (2, 5, -(-7 // height), 8 // width)
    torch.testing.assert_close(merging(images), expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_block_begins_as_its_shortcut_and_adds_two_convolutions() -> None:
    torch.manual_seed(0)
    block = ResidualBlock(3).double().eval()
    images = torch.rand(2, 3, 5, 6).double()
    assert torch.equal(block(images), images)
    nn.init.constant_(block.norm2.weight, 0.7)
    convolved = [nn.functional.conv2d(images, block.conv1.weight, padding=1)]
    convolved.append(nn.functional.conv2d(block.norm1(convolved[0]).relu(), block.conv2.weight, padding=1))
    expected = (block.norm2(convolved[1]) + images).relu()
    torch.testing.assert_close(block(images), expected, rtol=0, atol=1e-12)
    assert not torch.equal(block(images), images)


@torch.no_grad()
def test_a_depthwise_block_begins_as_its_shortcut_and_adds_one_convolution_of_each_channel() -> None:
    torch.manual_seed(0)
    block = DepthwiseBlock(3).double().eval()
    images = torch.randn(2, 3, 5, 6).double()
    assert torch.equal(block(images), images)
    nn.init.constant_(block.norm2.weight, 0.7)
    alone = [nn.functional.conv2d(images[:, c : c + 1], block.depthwise.weight[c : c + 1], padding=2) for c in range(3)]
    rows = block.norm1(torch.cat(alone, dim=1)).permute(0, 2, 3, 1)
    inner = (rows @ block.widen.weight.view(12, 3).T + block.widen.bias).relu()
    added = (inner @ block.narrow.weight.view(3, 12).T).permute(0, 3, 1, 2)
    torch.testing.assert_close(block(images), block.norm2(added) + images, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", BLOCKS)
@torch.no_grad()
def test_blocks_reach_two_positions(kind: str) -> None:
    torch.manual_seed(0)
    block = BLOCKS[kind](16).double().eval()
    nn.init.ones_(block.norm2.weight)
    image = torch.rand(1, 16, 9, 9).double()
    changed = image.clone()
    changed[..., 4, 4] += 1
    felt = (block(changed) - block(image)).abs().amax(dim=(0, 1)) > 1e-9
    rows, columns = felt.nonzero(as_tuple=True)
    assert (int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())) == (2, 6, 2, 6)
